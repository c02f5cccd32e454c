"""Read the metadata of known traces again, many per query: Laminar does not report which traces have changed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.laminar import ParsedRows, TraceRow
from reviewapp.lib import clock, sql
from reviewapp.traces import queries
from reviewapp.traces.models import Trace, UnreadablePart
from reviewapp.traces.sync import storing

# Traces per query, and how long a worker has them leased.
BATCH_SIZE = 200
LEASE = timedelta(seconds=40)
# Delay before a trace is read again for which Laminar's response cannot be read.
UNREADABLE_DELAY = timedelta(days=1)


def select_due(project: Project, limit: int = BATCH_SIZE) -> list[Trace]:
    """Lease up to `limit` traces that are due, longest waiting first; their `read_due_at` identifies the lease.

    A trace that was too long for a response is leased alone, so that it does not make another response too long.
    """
    now = clock.now()
    due = Trace.objects.due_for_reread(project, now)
    if not due.exists():
        return []
    with transaction.atomic():
        fields = ("trace_id", "end_time", "changed_at", "is_kept")
        traces = list(due.only(*fields).select_for_update(skip_locked=True)[:limit])
        too_long = set(
            UnreadablePart.objects.filter(trace__in=traces, is_too_long=True).values_list("trace_id", flat=True)
        )
        if too_long:
            others = [trace for trace in traces if trace.pk not in too_long]
            traces = traces[:1] if traces[0].pk in too_long else others
        Trace.objects.filter(pk__in=[trace.pk for trace in traces]).update(read_due_at=now + LEASE)
    for trace in traces:
        trace.read_due_at = now + LEASE
    return traces


def store_and_reschedule(
    project: Project, traces: Sequence[Trace], page: ParsedRows[TraceRow], asked_at: datetime | None = None
) -> int:
    """Store the rows that changed, and schedule the next reading of the leased traces. Returns the number of changes.

    `asked_at` as in `storing.store_traces`.
    """
    changed_count = storing.store_page(project, page, asked_at)
    now = clock.now()
    # Storing a trace has already scheduled it, and a reading that was requested meanwhile stays scheduled.
    sql.execute_many(
        queries.SCHEDULE_READ, [(trace.compute_next_read(now), trace.pk, trace.read_due_at) for trace in traces]
    )
    return changed_count


def reschedule(traces: Sequence[Trace], delay: timedelta = timedelta()) -> None:
    """Release leased traces that were not read; they are due again after `delay`."""
    due_at = clock.now() + delay
    sql.execute_many(queries.SCHEDULE_READ, [(due_at, trace.pk, trace.read_due_at) for trace in traces])
