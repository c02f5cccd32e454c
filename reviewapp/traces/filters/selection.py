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

MAX_TRACES = 10_000
# Traces that a preview shows one by one.
SHOWN = 20
_PLACES = "SELECT id FROM reviewapp_trace WHERE project_id = %s AND start_time IS NOT NULL AND trace_id IN []"
_IDS = "SELECT id, trace_id FROM reviewapp_trace WHERE id IN []"
_HEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Traces by primary key, the newest first as far as they come from a view; `is_cut` when that has more."""

    view: FilterView
    pks: Sequence[int]
    is_cut: bool = False

    @property
    def trace_ids(self) -> list[UUID]:
        found = dict(sql.fetch_rows_in(_IDS, list(self.pks)))
        return [UUID(str(found[pk])) for pk in self.pks if pk in found]

    @property
    def form_value(self) -> str:
        """The trace ids as a form carries them, so that exactly what was shown is acted on."""
        return " ".join(trace_id.hex for trace_id in self.trace_ids)

    @property
    def preview(self) -> list[Trace]:
        """The first few, to look at."""
        shown = self.pks[:SHOWN]
        traces = Trace.objects.defer(*UNLISTED).in_bulk(shown)
        return [traces[pk] for pk in shown if pk in traces]


def select_from_query(project: Project, query: QueryDict, limit: int = MAX_TRACES) -> Selection:
    """What was chosen on a list: its `trace` rows, or with `all` the whole view. Raises NotAPair."""
    view = read_view(query)
    if "all" in query:
        return select_view(project, view, limit)
    wanted = []
    for text in query.getlist("trace")[:limit]:
        with suppress(trace_ids.InvalidTraceIdError):
            wanted.append(trace_ids.parse(text))
    return _among(project, view, wanted)


def select_view(project: Project, view: FilterView, limit: int = MAX_TRACES) -> Selection:
    """All of a view; of a larger one the newest."""
    found = newest(view, project, limit + 1)
    return Selection(view, found[:limit], len(found) > limit)


def select_from_form(project: Project, text: str, limit: int = MAX_TRACES) -> Selection:
    """The traces whose ids a form carried, as far as they are the project's."""
    return _among(project, FilterView(), [UUID(found) for found in _HEX.findall(text)[:limit]])


def _among(project: Project, view: FilterView, wanted: Sequence[UUID]) -> Selection:
    found = [pk for (pk,) in sql.fetch_rows_in(_PLACES, project.pk, list(dict.fromkeys(wanted)))]
    return Selection(view, sorted(found, reverse=True))
