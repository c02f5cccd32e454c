"""Where a trace stands in its session."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from reviewapp.accounts.models import Project
from reviewapp.traces import queries
from reviewapp.traces.models import Trace, TraceQuerySet

# Traces of a session that are counted.
MAX_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class SessionPlace:
    """The trace is number `position` of the `total` traces of its session, from 1; both stop above MAX_COUNTED."""

    position: int
    total: int

    @property
    def is_counted(self) -> bool:
        return self.total <= MAX_COUNTED


def select_session(trace: Trace) -> QuerySet[Trace]:
    """The traces of a trace's session, in no order; the trace must have a session."""
    traces = _select_with_session(trace.project_id).filter(session_id=trace.session_id, start_time__isnull=False)
    return traces.pulled()


def select_sessions(project: Project, session_ids: Collection[str]) -> QuerySet[Trace]:
    """The traces of these sessions, in no order; no session may be empty."""
    return _select_with_session(project.pk).filter(session_id__in=session_ids)


def find_newest(trace: Trace) -> Trace:
    """The trace of the same session that started last; the trace itself without a session."""
    if not trace.session_id:
        return trace
    return select_session(trace).order_by("-start_time", "-pk").only("trace_id").first() or trace


def find_place(trace: Trace) -> SessionPlace | None:
    """Where the trace stands in its session; None if it has none, or is alone in it."""
    if not trace.session_id or trace.start_time is None:
        return None
    traces = select_session(trace)
    total = traces[: MAX_COUNTED + 1].count()
    earlier = traces.filter(is_before(trace))
    return SessionPlace(earlier[:MAX_COUNTED].count() + 1, total) if total > 1 else None


def is_before(trace: Trace) -> Q:
    """The condition for traces that started before this one."""
    return Q(start_time__lte=trace.start_time) & (Q(start_time__lt=trace.start_time) | Q(pk__lt=trace.pk))


def _select_with_session(project_pk: int) -> TraceQuerySet:
    # A parameter would keep SQLite from using the partial index.
    has_session = RawSQL(queries.HAS_SESSION, (), BooleanField())  # noqa: S611 - constant text
    return Trace.objects.filter(has_session, project=project_pk)
