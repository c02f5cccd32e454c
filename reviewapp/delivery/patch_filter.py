"""A project's deliveries as a list one narrows by state, drift, reason and trace: newest first, a page at a time."""

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
# Beside the states: confirmed ones whose values somebody else has changed in Laminar since.
DRIFTED = "drifted"


@dataclass(frozen=True, slots=True)
class PatchFilter:
    """What was asked for; an empty text narrows nothing, and what is not in the lists is left out."""

    state: str
    reason: str
    trace: str
    # What is wrong with the trace id that was typed: a sentence.
    fault: str = ""

    @classmethod
    def read(cls, query: QueryDict) -> "PatchFilter":
        state, trace, fault = query.get("state", ""), query.get("trace", "").strip()[:80], ""
        reason = query.get("reason", "") if state == State.PARKED else ""
        try:
            trace = str(trace_ids.parse(trace)) if trace else ""
        except trace_ids.InvalidTraceIdError as error:
            fault = str(error)
        known = state in State.values or state == DRIFTED
        return cls(state if known else "", reason if reason in Reason.values else "", trace.replace("\x00", ""), fault)

    @property
    def query(self) -> str:
        """The filter as an address spells it, without the trace's field where that holds no id."""
        asked = {"state": self.state, "reason": self.reason, "trace": "" if self.fault else self.trace}
        return urlencode({name: value for name, value in asked.items() if value})

    def of(self, project: Project) -> QuerySet[Patch]:
        found = Patch.objects.filter(project=project)
        if self.fault:
            return found.none()
        if self.trace:
            found = found.filter(trace_id=self.trace)
        if self.reason:
            found = found.filter(reason=self.reason)
        if self.state == DRIFTED:
            return found.filter(drifted_at__isnull=False)
        return found.filter(state=self.state) if self.state else found


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and where it goes on in both directions: None where it ends."""

    rows: list[Patch]
    newer: int | None
    older: int | None


def page_of(asked: PatchFilter, project: Project, query: QueryDict) -> Page:
    """The page older than `before`, or newer than `after`; the first one without either."""
    found, before, after = asked.of(project), parse_int(query.get("before")), parse_int(query.get("after"))
    if after is not None:
        rows = list(found.filter(pk__gt=after).order_by("pk")[: PAGE_SIZE + 1])
        if len(rows) > PAGE_SIZE:
            rows = rows[PAGE_SIZE - 1 :: -1]
            return Page(rows, rows[0].pk, rows[-1].pk)
        # So near to the newest that the first page shows it too.
        before = None
    found = found if before is None else found.filter(pk__lt=before)
    rows = list(found.order_by("-pk")[: PAGE_SIZE + 1])
    has_older, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    newer = rows[0].pk if rows and before is not None else None
    return Page(rows, newer, rows[-1].pk if has_older else None)


def give_names(project: Project, patches: Iterable[Patch]) -> None:
    """Let patches tell the names of their traces: one query."""
    shown = list(patches)
    traces = Trace.objects.filter(project=project, trace_id__in=[patch.trace_id for patch in shown])
    names = dict(traces.values_list("trace_id", "name"))
    for patch in shown:
        patch.trace_name = names.get(patch.trace_id, "")


def by_reason(project: Project) -> list[tuple[str, str, int]]:
    """Why deliveries are parked: each reason that occurs, its words, and how many."""
    parked = Patch.objects.filter(project=project, state=State.PARKED).exclude(reason="")
    counts = dict(parked.order_by().values_list("reason").annotate(Count("pk")))
    return [(reason.value, reason.label, counts[reason.value]) for reason in Reason if reason.value in counts]
