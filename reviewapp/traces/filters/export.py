"""A view's traces as a file one can take away, line by line."""

import csv
import json
from collections.abc import Iterator, Sequence
from io import StringIO

from reviewapp.lib import canonical_json, clock
from reviewapp.lib.csv_cells import escape_formula
from reviewapp.traces.filters.paging import UNLISTED
from reviewapp.traces.filters.selection import Selection
from reviewapp.traces.metadata import pairs
from reviewapp.traces.models import Trace

HEADER = [
    "trace_id", "name", "status", "start_time", "end_time", "seconds", "total_tokens", "total_cost",
    "session_id", "user_id",
]  # fmt: skip
PART = 500


def csv_lines(chosen: Selection) -> Iterator[str]:
    """A CSV text: a trace's own values, a column for each of the view's, the whole metadata; no cell is a formula."""
    columns = chosen.view.columns
    yield _line([*HEADER, *(escape_formula(key) for key in columns), "metadata"])
    for trace in _each(chosen):
        members = canonical_json.raw_members(trace.metadata)
        cells = [_cell(pairs.display_value(members[key])) if key in members else "" for key in columns]
        yield _line([*(_cell(value) for value in _values(trace)), *cells, escape_formula(trace.metadata)])


def json_lines(chosen: Selection) -> Iterator[str]:
    """A JSON object a line; the metadata in Laminar's own spelling, where 1.0 is not 1."""
    for trace in _each(chosen):
        own = json.dumps(dict(zip(HEADER, _values(trace), strict=True)), ensure_ascii=True)
        # A half of a character, escaped there, stays escaped here: no file could be written with it.
        yield f'{own[:-1]}, "metadata": {trace.metadata}}}\n'


def _each(chosen: Selection) -> Iterator[Trace]:
    for start in range(0, len(chosen.pks), PART):
        part = chosen.pks[start : start + PART]
        found = Trace.objects.defer(*UNLISTED).in_bulk(part)
        yield from (found[pk] for pk in part if pk in found)


def _values(trace: Trace) -> list[str | int | float | None]:
    times = [clock.iso(moment) if moment else None for moment in (trace.start_time, trace.end_time)]
    return [
        str(trace.trace_id), trace.name, trace.status, *times, trace.duration, trace.total_tokens, trace.total_cost,
        trace.session_id, trace.user_id,
    ]  # fmt: skip


def _cell(value: object) -> object:
    return escape_formula(value) if isinstance(value, str) else value


def _line(cells: Sequence[object]) -> str:
    text = StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
