"""Queues whose unit is the session: one item for all traces of a conversation."""

from collections.abc import Collection, Mapping
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.lib import clock
from reviewapp.lib.batches import batched
from reviewapp.queues.models import ItemState, Queue, QueueItem, Removal, Unit
from reviewapp.traces.filters.session import find_newest, select_session, select_sessions
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull

Row = TypeVar("Row", QueueItem, Removal)
# What makes two traces one item: a session id, or the trace's own id.
UnitKey = str | UUID

# Earlier traces of a session that are pulled for whoever opens its item: those that the page lists.
MAX_PULLED = 20
DUPLICATE = "Its session was in the queue already."
SKIPPER = "The review desk"


def map_units(queue: Queue, trace_ids: Collection[UUID]) -> dict[UUID, UnitKey]:
    """What each trace is in this queue: its session if the queue's unit is the session and it has one, else itself."""
    units: dict[UUID, UnitKey] = {trace_id: trace_id for trace_id in trace_ids}
    if queue.is_by_session:
        traces = Trace.objects.filter(project=queue.project_id).exclude(session_id="")
        for batch in batched(list(units)):
            units.update(traces.filter(trace_id__in=batch).values_list("trace_id", "session_id"))
    return units


def find_rows(rows: QuerySet[Row], project: Project, units: Mapping[UUID, UnitKey]) -> dict[UnitKey, Row]:
    """By unit, the first of these items or removals of one queue that belongs to it."""
    by_unit: dict[UnitKey, Row] = {}
    for batch in batched([unit for unit in units.values() if isinstance(unit, UUID)]):
        by_unit.update({row.trace_id: row for row in rows.filter(trace_id__in=batch)})
    has_row = Exists(rows.filter(trace_id=OuterRef("trace_id")))
    for names in batched(sorted({unit for unit in units.values() if isinstance(unit, str)})):
        session_ids = dict(select_sessions(project, names).filter(has_row).values_list("trace_id", "session_id"))
        for trace_ids in batched(list(session_ids)):
            for row in rows.filter(trace_id__in=trace_ids).order_by("-pk"):
                earlier = by_unit.get(session_ids[row.trace_id])
                if earlier is None or row.pk < earlier.pk:
                    by_unit[session_ids[row.trace_id]] = row
    return by_unit


def find_items(queue: Queue, trace_ids: Collection[UUID]) -> dict[UUID, QueueItem]:
    """The item that each of these traces belongs to, by trace id."""
    units = map_units(queue, trace_ids)
    items = find_rows(QueueItem.objects.filter(queue=queue), queue.project, units)
    return {trace_id: items[unit] for trace_id, unit in units.items() if unit in items}


def move_to_newest(item: QueueItem, user: User) -> None:
    """Move an item of a session to its newest trace, in the database and here, before this person reads it.

    An item stays if it has been reviewed or is not pending, or if a colleague has claimed it. Traces of the session
    that are only listed yet are pulled.
    """
    if not item.queue.is_by_session or item.version or item.state != ItemState.PENDING:
        return
    project = item.queue.project
    trace = Trace.objects.filter(project=project, trace_id=item.trace_id).only("project", "session_id").first()
    newest_id = item.trace_id if trace is None else find_newest(trace).trace_id
    if trace is not None and trace.session_id:
        _request_unpulled(project, trace)
    if newest_id == item.trace_id:
        return
    pending = QueueItem.objects.pending().filter(pk=item.pk, version=0, trace_id=item.trace_id)
    try:
        with transaction.atomic():
            if not pending.free_for(user, clock.now()).change(trace_id=newest_id):
                return
            pull.request_pull(project, [newest_id])
    except IntegrityError:
        # Both traces were queued before anyone knew that they are of one session.
        return
    item.trace_id = newest_id


def _request_unpulled(project: Project, trace: Trace) -> None:
    """Request a pull of the session's newest traces that are only listed: the reader reads the whole conversation."""
    unpulled = select_session(trace).filter(spans_pulled_at=None, pull_due_at=None, pull_tries=0)
    trace_ids = list(unpulled.order_by("-start_time", "-pk").values_list("trace_id", flat=True)[:MAX_PULLED])
    if trace_ids:
        pull.request_pull(project, trace_ids, is_kept=False)


def skip_duplicates(project: Project, trace_ids: Collection[UUID]) -> None:
    """Skip the items of these traces, just pulled, whose session turns out to be in their queue already.

    An item that somebody has open or has reviewed stays.
    """
    items = QueueItem.objects.pending().filter(trace_id__in=trace_ids, version=0)
    items = items.filter(queue__project=project, queue__unit=Unit.SESSIONS)
    for item in items.select_related("queue__project").order_by("pk"):
        _skip_duplicate(item)


def _skip_duplicate(item: QueueItem) -> None:
    queue = item.queue
    with transaction.atomic():
        # As `adding.add`: nobody adds or removes items meanwhile.
        Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        first = find_items(queue, [item.trace_id]).get(item.trace_id)
        if first is None or first.pk >= item.pk:
            return
        unclaimed = Q(claimed_by=None) | Q(claimed_until__lte=clock.now())
        pending = QueueItem.objects.pending().filter(unclaimed, pk=item.pk, version=0)
        if pending.change(state=ItemState.SKIPPED, claimed_by=None, skipped_by=SKIPPER, skip_reason=DUPLICATE):
            record(queue.project, "worker", "skipped item", f"item:{item.pk}", whom="everyone", reason=DUPLICATE)
