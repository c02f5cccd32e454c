"""A project's deliveries, newest first, filtered by state, drift, reason and trace, one page at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import QueryDict

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.lib import trace_ids
from reviewapp.lib.numbers import parse_int
from reviewapp.traces.models import Trace

PAGE_SIZE = 50
# Filter value in addition to the states: confirmed patches whose values someone else has changed in Laminar.
DRIFTED = "drifted"


@dataclass(frozen=True, slots=True)
class PatchFilter:
    """The filter of a request; an empty text filters nothing, and unknown values are ignored."""

    state: str
    reason: str
    trace: str
    # Why the typed trace id is invalid, as a sentence.
    trace_error: str = ""

    @classmethod
    def from_query(cls, query: QueryDict) -> "PatchFilter":
        state, trace, error_text = query.get("state", ""), query.get("trace", "").strip(), ""
        reason = query.get("reason", "") if state == State.PARKED else ""
        try:
            trace = str(trace_ids.parse(trace)) if trace else ""
        except trace_ids.InvalidTraceIdError as error:
            error_text = str(error)
        return cls(
            state if state in State.values or state == DRIFTED else "",
            reason if reason in Reason.values else "",
            trace.replace("\x00", ""),
            error_text,
        )

    @property
    def query_string(self) -> str:
        """The filter as a query string, without an invalid trace id."""
        params = {"state": self.state, "reason": self.reason, "trace": "" if self.trace_error else self.trace}
        return urlencode({name: value for name, value in params.items() if value})

    def apply(self, project: Project) -> QuerySet[Patch]:
        patches = Patch.objects.filter(project=project)
        if self.trace_error:
            return patches.none()
        if self.trace:
            patches = patches.filter(trace_id=self.trace)
        if self.reason:
            patches = patches.filter(reason=self.reason)
        if self.state == DRIFTED:
            return patches.filter(drifted_at__isnull=False)
        return patches.filter(state=self.state) if self.state else patches


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `newer` and `older` are the cursors of its neighbours, None at the ends."""

    rows: list[Patch]
    newer: int | None
    older: int | None


def get_page(patch_filter: PatchFilter, project: Project, query: QueryDict) -> Page:
    """The page of patches older than `before` or newer than `after`; the first page without either."""
    patches, before, after = patch_filter.apply(project), parse_int(query.get("before")), parse_int(query.get("after"))
    if after is not None:
        rows = list(patches.filter(pk__gt=after).order_by("pk")[: PAGE_SIZE + 1])
        if len(rows) > PAGE_SIZE:
            rows = rows[PAGE_SIZE - 1 :: -1]
            return Page(rows, rows[0].pk, rows[-1].pk)
        # Too few newer rows for a page: show the first page, which includes them.
        before = None
    patches = patches if before is None else patches.filter(pk__lt=before)
    rows = list(patches.order_by("-pk")[: PAGE_SIZE + 1])
    has_older, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    newer = rows[0].pk if rows and before is not None else None
    return Page(rows, newer, rows[-1].pk if has_older else None)


def set_trace_names(project: Project, patches: Iterable[Patch]) -> None:
    """Set `trace_name` of each patch, with one query."""
    rows = list(patches)
    traces = Trace.objects.filter(project=project, trace_id__in=[patch.trace_id for patch in rows])
    names = dict(traces.values_list("trace_id", "name"))
    for patch in rows:
        patch.trace_name = names.get(patch.trace_id, "")


def count_by_reason(project: Project) -> list[tuple[str, str, int]]:
    """Count the parked patches for each reason that occurs. Returns (value, label, count) tuples."""
    parked = Patch.objects.filter(project=project, state=State.PARKED).exclude(reason="")
    counts = dict(parked.order_by().values_list("reason").annotate(Count("pk")))
    return [(reason.value, reason.label, counts[reason.value]) for reason in Reason if reason.value in counts]
