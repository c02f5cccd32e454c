"""Which traces a lead acts on at once: the rows that were ticked, or all of a view up to a bound."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.http import QueryDict

from reviewapp.accounts.models import Project
from reviewapp.lib import sql, trace_ids
from reviewapp.traces.filters.filter_view import FilterView, read_view
from reviewapp.traces.filters.paging import UNLISTED, newest
from reviewapp.traces.models import Trace

MOST = 10_000
# Traces that a preview shows one by one.
SHOWN = 20
_PLACES = "SELECT id FROM reviewapp_trace WHERE project_id = %s AND start_time IS NOT NULL AND trace_id IN []"
_IDS = "SELECT id, trace_id FROM reviewapp_trace WHERE id IN []"
_HEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Traces by primary key, the newest first as far as they come from a view; `is_cut` when that has more."""

    view: FilterView
    places: Sequence[int]
    is_cut: bool = False

    @property
    def ids(self) -> list[UUID]:
        found = dict(sql.rows_among(_IDS, list(self.places)))
        return [UUID(str(found[pk])) for pk in self.places if pk in found]

    @property
    def text(self) -> str:
        """The trace ids as a form carries them, so that exactly what was shown is acted on."""
        return " ".join(trace_id.hex for trace_id in self.ids)

    @property
    def first(self) -> list[Trace]:
        """The first few, to look at."""
        shown = self.places[:SHOWN]
        traces = Trace.objects.defer(*UNLISTED).in_bulk(shown)
        return [traces[pk] for pk in shown if pk in traces]


def ticked(project: Project, query: QueryDict, most: int = MOST) -> Selection:
    """What was chosen on a list: its `trace` rows, or with `all` the whole view. Raises NotAPair."""
    view = read_view(query)
    if "all" in query:
        return whole(project, view, most)
    wanted = []
    for text in query.getlist("trace")[:most]:
        with suppress(trace_ids.NotATraceId):
            wanted.append(trace_ids.parse(text))
    return _among(project, view, wanted)


def whole(project: Project, view: FilterView, most: int = MOST) -> Selection:
    """All of a view; of a larger one the newest."""
    found = newest(view, project, most + 1)
    return Selection(view, found[:most], len(found) > most)


def carried(project: Project, text: str, most: int = MOST) -> Selection:
    """The traces whose ids a form carried, as far as they are the project's."""
    return _among(project, FilterView(), [UUID(found) for found in _HEX.findall(text)[:most]])


def _among(project: Project, view: FilterView, wanted: Sequence[UUID]) -> Selection:
    found = [pk for (pk,) in sql.rows_among(_PLACES, project.pk, list(dict.fromkeys(wanted)))]
    return Selection(view, sorted(found, reverse=True))
