"""Export the traces of a view as CSV or JSON Lines, streamed line by line."""

import json
from collections.abc import Iterator

from reviewapp.lib import clock, csv_cells
from reviewapp.traces.filters.paging import UNLISTED
from reviewapp.traces.filters.selection import Selection
from reviewapp.traces.metadata import merge, pairs
from reviewapp.traces.models import Trace

HEADER = [
    "trace_id", "name", "status", "start_time", "end_time", "seconds", "total_tokens", "total_cost",
    "session_id", "user_id",
]  # fmt: skip
BATCH_SIZE = 500
# Characters that JSON allows in a text and that many programs take for the end of a line.
_LINE_SEPARATORS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}


def csv_lines(selection: Selection) -> Iterator[str]:
    """CSV lines: a trace's fields, the view's metadata columns, the whole metadata; no cell can act as a formula."""
    columns = selection.view.columns
    yield csv_cells.format_line([*HEADER, *(csv_cells.escape_formula(key) for key in columns), "metadata"])
    for trace in _load_traces(selection):
        members = merge.parse_members(trace.metadata)
        cells = [_escape_cell(pairs.display_value(members[key])) if key in members else "" for key in columns]
        fields = [_escape_cell(value) for value in _field_values(trace)]
        yield csv_cells.format_line([*fields, *cells, csv_cells.escape_formula(trace.metadata)])


def json_lines(selection: Selection) -> Iterator[str]:
    """One JSON object per line; the metadata is spelled as in Laminar, where 1.0 is not 1."""
    for trace in _load_traces(selection):
        fields = json.dumps(dict(zip(HEADER, _field_values(trace), strict=True)), ensure_ascii=True)
        # Insert the stored text, in which a lone surrogate stays escaped: unescaped, it could not be encoded. A text
        # that is no object would make its line unreadable: it is exported as a string.
        is_object = trace.metadata == "{}" or merge.parse_members(trace.metadata)
        metadata = trace.metadata if is_object else json.dumps(trace.metadata)
        yield f'{fields[:-1]}, "metadata": {metadata.translate(_LINE_SEPARATORS)}}}\n'


def _load_traces(selection: Selection) -> Iterator[Trace]:
    for start in range(0, len(selection.pks), BATCH_SIZE):
        batch = selection.pks[start : start + BATCH_SIZE]
        traces = Trace.objects.defer(*UNLISTED).in_bulk(batch)
        yield from (traces[pk] for pk in batch if pk in traces)


def _field_values(trace: Trace) -> list[str | int | float | None]:
    times = [clock.iso(moment) if moment else None for moment in (trace.start_time, trace.end_time)]
    return [
        str(trace.trace_id), trace.name, trace.status, *times, trace.duration, trace.total_tokens, trace.total_cost,
        trace.session_id, trace.user_id,
    ]  # fmt: skip


def _escape_cell(value: object) -> object:
    return csv_cells.escape_formula(value) if isinstance(value, str) else value
