"""Read the metadata of traces again, by id and many at once: Laminar does not say which of them have changed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.laminar import TraceRow
from reviewapp.lib import clock, sql
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull

# Traces of one query, and how long no other worker reads them.
BATCH_SIZE = 200
LEASE = timedelta(seconds=40)
# A trace that Laminar answers nothing readable for is left alone for so long.
UNREADABLE_DELAY = timedelta(days=1)
_PLAN = "UPDATE reviewapp_trace SET read_due_at = %s WHERE id = %s AND read_due_at = %s"


def select_due(project: Project, most: int = BATCH_SIZE) -> list[Trace]:
    """Traces to read now, the longest waiting first, taken for one reading: their `read_due_at` is of this taking."""
    now = clock.now()
    due = Trace.objects.due_for_reread(project, now)
    if not due.exists():
        return []
    with transaction.atomic():
        fields = ("trace_id", "end_time", "changed_at", "is_kept")
        rows = list(due.only(*fields).select_for_update(skip_locked=True)[:most])
        Trace.objects.filter(pk__in=[row.pk for row in rows]).update(read_due_at=now + LEASE)
    for row in rows:
        row.read_due_at = now + LEASE
    return rows


def store_and_reschedule(
    project: Project, traces: Sequence[Trace], rows: Sequence[TraceRow], asked_at: datetime | None = None
) -> int:
    """Store what has changed of the traces that were taken, and plan when to read each again; how many changed.

    `asked_at` as with `pulling.store_rows`.
    """
    changed = pull.store_changed(project, rows, asked_at)
    now = clock.now()
    # Those that were stored have their time already, and who asked for one meanwhile gets it.
    sql.execute_many(_PLAN, [(trace.next_read(now), trace.pk, trace.read_due_at) for trace in traces])
    return changed


def reschedule(traces: Sequence[Trace], wait: timedelta = timedelta()) -> None:
    """Give back traces that were taken and not read: they are due again after a while."""
    later = clock.now() + wait
    sql.execute_many(_PLAN, [(later, trace.pk, trace.read_due_at) for trace in traces])
