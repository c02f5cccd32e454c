"""The traces of a bulk action: the ticked rows of a list, or all traces of a view up to a limit."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.http import QueryDict

from reviewapp.accounts.models import Project, User
from reviewapp.lib import trace_ids
from reviewapp.lib.batches import batched
from reviewapp.lib.unknown_ids import describe_unknown
from reviewapp.traces.filters.filter_view import FilterView, read_view
from reviewapp.traces.filters.paging import UNLISTED, get_newest_pks
from reviewapp.traces.filters.search import MAX_EXAMINED_IN_BULK
from reviewapp.traces.models import Trace

MAX_TRACES = 10_000
# Traces that a preview lists.
PREVIEW_SIZE = 20


@dataclass(frozen=True, slots=True)
class Selection:
    """Traces by primary key, newest first if they come from a view; `is_cut` if the view has more than the limit."""

    view: FilterView
    pks: Sequence[int]
    is_cut: bool = False
    # A sentence that names the chosen ids that are no traces of the project.
    unknown: str = ""

    @property
    def trace_ids(self) -> list[UUID]:
        by_pk: dict[int, UUID] = {}
        for batch in batched(self.pks):
            by_pk |= dict(Trace.objects.filter(pk__in=batch).values_list("pk", "trace_id"))
        return [UUID(str(by_pk[pk])) for pk in self.pks if pk in by_pk]

    @property
    def form_value(self) -> str:
        """The trace ids as a hidden form field, so that the action applies to exactly the traces that were shown."""
        return " ".join(trace_id.hex for trace_id in self.trace_ids)

    @property
    def preview(self) -> list[Trace]:
        """The first few traces."""
        pks = self.pks[:PREVIEW_SIZE]
        traces = Trace.objects.defer(*UNLISTED).in_bulk(pks)
        return [traces[pk] for pk in pks if pk in traces]


def select_from_query(project: Project, query: QueryDict, viewer: User, limit: int = MAX_TRACES) -> Selection:
    """The selection of a person's list: its `trace` rows, or with `all` the whole view. Raises FilterError."""
    view = read_view(query, viewer)
    if "all" in query:
        return select_view(project, view, limit)
    return _select_ids(project, view, query.getlist("trace"), limit)


def select_view(project: Project, view: FilterView, limit: int = MAX_TRACES) -> Selection:
    """All traces of a view; the newest if it has more than `limit`, or than a search examines."""
    pks, is_stopped = get_newest_pks(view, project, limit + 1, MAX_EXAMINED_IN_BULK)
    return Selection(view, pks[:limit], is_stopped or len(pks) > limit)


def select_from_form(project: Project, text: str, limit: int = MAX_TRACES) -> Selection:
    """The project's traces among the ids of a `form_value`."""
    return _select_ids(project, FilterView(), text.split(), limit)


def _select_ids(project: Project, view: FilterView, texts: Sequence[str], limit: int) -> Selection:
    """The traces with the ids in these texts, at most `limit`; what is no trace of the project is named."""
    by_text: dict[str, UUID] = {}
    for text in dict.fromkeys(texts):
        with suppress(trace_ids.InvalidTraceIdError):
            by_text[text] = trace_ids.parse(text)
    ids = list(dict.fromkeys(by_text.values()))
    started = Trace.objects.filter(project=project, start_time__isnull=False)
    known: dict[UUID, int] = {}
    for batch in batched(ids):
        known |= dict(started.filter(trace_id__in=batch).values_list("trace_id", "pk"))
    unknown = [text for text in texts if by_text.get(text) not in known]
    pks = sorted(known.values(), reverse=True)
    sentence = describe_unknown(unknown, "the traces of this project")
    return Selection(view, pks[:limit], len(pks) > limit, sentence)
