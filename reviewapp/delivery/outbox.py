"""Put a patch into the outbox, withdraw it, record its outcome, retry it. The row is the only source of truth.

Each function is one short transaction; none talks to Laminar.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models.functions import Least

from reviewapp.accounts.models import Project
from reviewapp.delivery import outcome_log, parking, queries, schedule
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.lib.shortening import shorten
from reviewapp.traces.metadata.merge import LockedTrace, lock_trace
from reviewapp.traces.metadata.tags import replace_pushed_tags

UNREADABLE_MESSAGE = (
    "The stored values cannot be read, so they are not sent. Other deliveries are not affected. To send the values,"
    " save them again."
)
UNREADABLE_CHANGES = {"state": State.PARKED, "reason": Reason.UNREADABLE, "last_error": UNREADABLE_MESSAGE}


def put(
    project: Project,
    trace_id: UUID,
    metadata: Mapping[str, Any],
    *,
    source: str,
    tags: Sequence[str] = (),
    delay: timedelta = timedelta(0),
    trace: LockedTrace | None = None,
) -> Patch:
    """Write one patch to push after `delay`, in the caller's transaction; `trace` is the trace if that has locked it.

    Unfinished older patches of the trace are superseded, and this one carries their keys and tags: each push counts as
    a span of the trace in Laminar, and the last one must leave nothing out.
    Raises canonical_json.InvalidJSONError.
    """
    with transaction.atomic(savepoint=False):
        # Serialise patches per trace: two concurrent ones would not see, and so not carry, each other's keys.
        trace = trace or lock_trace(project, trace_id)
        now = clock.now()
        older = _park_unreadable(_lock_supersedable(project, trace_id))
        older = [patch for patch in older if patch.state != State.PARKED or patch.can_be_replaced_by(metadata, tags)]
        carried, carried_tags = _collect_carried(older)
        text = canonical_json.dumps({**carried, **metadata})
        tags_text = canonical_json.dumps(list(dict.fromkeys([*carried_tags, *tags]))) if carried_tags or tags else "[]"
        # A text that the worker cannot read must fail here, where the caller sees the error.
        canonical_json.loads(text)
        carried_keys = canonical_json.dumps(sorted(carried.keys() - metadata.keys()))
        new = Patch(
            project=project, trace_id=trace_id, metadata=text, carried=carried_keys, tags=tags_text, source=source,
            created_at=now, due_at=now + delay,
        )  # fmt: skip
        new.pk = sql.fetch_rows(
            queries.INSERT_PATCH, project.pk, trace_id, text, carried_keys, tags_text, source, now, new.due_at
        )[0][0]
        if older:
            _supersede(older, new)
        if tags_text != "[]":
            _store_tags(project, trace_id, trace.pk)
    return new


def withdraw(project: Project, patch: Patch) -> dict[str, Any] | None:
    """Withdraw a patch that no worker has leased yet, in the caller's transaction, with its trace locked.

    Returns the values of older patches that it carried, which are put into the outbox again; None if it is too late.
    """
    # The lease number only grows: a worker that held the row and died may have sent it.
    unleased = Patch.objects.filter(pk=patch.pk, state=State.WAITING, lease=0)
    if not unleased.update(state=State.SUPERSEDED, last_error="Undone before it was sent."):
        return None
    carried: dict[str, Any] = {}
    older = list(Patch.objects.filter(superseded_by=patch).order_by("pk"))
    for older_patch in older:
        carried.update(older_patch.values)
    # Tags that Laminar had accepted were not carried.
    tags = [name for older_patch in older for name in older_patch.tag_names if name in patch.tag_names]
    if carried or tags:
        replacement = put(project, patch.trace_id, carried, tags=tags, source=older[-1].source)
        Patch.objects.filter(pk=patch.pk).update(superseded_by=replacement)
    if patch.tags != "[]":
        _store_tags(project, patch.trace_id, lock_trace(project, patch.trace_id).pk)
    return carried


def _store_tags(project: Project, trace_id: UUID, trace_pk: int) -> None:
    """Store in the mirror which tags our patches add to a trace: those sent, and those that wait to be."""
    patches = Patch.objects.filter(project=project, trace_id=trace_id).exclude(tags="[]")
    # What was superseded before it was sent was withdrawn, or a newer patch has its tags.
    effective = patches.exclude(state=State.SUPERSEDED, lease=0)
    replace_pushed_tags(trace_pk, {name for patch in effective for name in patch.tag_names})


def record_outcomes(patches: Sequence[Patch], **changes: Any) -> set[int]:
    """Write the same changes to many leased patches.

    Returns the ids of those that were updated: their lease was not lost and no newer patch superseded them.
    """
    leases = {patch.pk: patch.lease for patch in patches}
    sending = Patch.objects.select_for_update().filter(pk__in=leases, state=State.SENDING, superseded_by=None)
    updated = {pk for pk, lease in sending.order_by("pk").values_list("pk", "lease") if leases[pk] == lease}
    if updated:
        Patch.objects.filter(pk__in=updated).update(leased_until=None, **changes)
    return updated


def record_outcome(patch: Patch, **changes: Any) -> bool:
    """Write the outcome of a leased patch. Returns False if the lease was lost and nothing was written.

    A patch that was superseded while it was being sent ends here, whatever the outcome: the newer one has its keys.
    """
    leased = Patch.objects.filter(pk=patch.pk, state=State.SENDING, lease=patch.lease)
    if leased.filter(superseded_by=None).update(**{"leased_until": None, **changes}):
        return True
    is_ended = leased.update(**{**changes, "state": State.SUPERSEDED, "reason": "", "leased_until": None})
    if is_ended and patch.tags != "[]" and changes.get("state") == State.ACCEPTED:
        _drop_sent_tags(patch)
    return bool(is_ended)


def retry(project: Project, patch_ids: Sequence[int], actor: str) -> int:
    """Send parked or delayed patches now, without values that a newer patch has set. Returns the number of patches."""
    count = 0
    # Lock traces in a fixed order, so concurrent writers cannot deadlock.
    for patch in Patch.objects.filter(project=project, pk__in=patch_ids).order_by("trace_id", "pk"):
        count += _retry_patch(project, patch, actor)
    return count


def wake_missed(project: Project, trace_ids: Collection[UUID]) -> int:
    """Make patches due whose trace Laminar did not know, and now shows. Returns the number of rows."""
    now = clock.now()
    missed = Patch.objects.filter(project=project, state=State.WAITING, misses__gt=0, trace_id__in=trace_ids)
    # They go on with a try a minute: Laminar may show a trace sooner than it accepts patches for it.
    return missed.filter(due_at__gt=now + schedule.SOON).update(
        due_at=now, misses=Least("misses", schedule.FIRST_MINUTE_MISS)
    )


def is_deadlock(error: OperationalError) -> bool:
    """Whether PostgreSQL ended this transaction because of a deadlock (SQLSTATE 40P01)."""
    return getattr(error.__cause__, "sqlstate", "") == "40P01"


def _retry_patch(project: Project, patch: Patch, actor: str) -> int:
    now = clock.now()
    if patch.state == State.WAITING:
        return Patch.objects.filter(pk=patch.pk, state=State.WAITING).update(due_at=now)
    with transaction.atomic():
        lock_trace(project, patch.trace_id)
        row = Patch.objects.select_for_update().filter(pk=patch.pk, state=State.PARKED).first()
        if row is None or not row.is_readable:
            return 0
        # Superseded patches set nothing: a withdrawn or discarded one is never sent, the others have a carrier.
        newer = Patch.objects.filter(project=project, trace_id=row.trace_id, pk__gt=row.pk).order_by("pk")
        newer = newer.exclude(state=State.SUPERSEDED)
        newer_keys = {key for newer_patch in newer for key in newer_patch.values}
        remaining = {key: value for key, value in row.values.items() if key not in newer_keys}
        if not remaining and not row.has_tags_to_send:
            Patch.objects.filter(pk=row.pk).update(state=State.SUPERSEDED, superseded_by=newer.last(), reason="")
            return 0
        return Patch.objects.filter(pk=row.pk).update(
            state=State.WAITING, metadata=canonical_json.dumps(remaining), due_at=now,
            failures=0, misses=0, reads=0, reason="",
            # Metadata and tags that Laminar accepted, or may have, are not sent twice.
            sends=int(row.tags != "[]" and row.sends > 0),
            accepted_at=row.accepted_at if row.lacks_only_tags else None,
            source=shorten(f"{row.source}, retried by {actor}", 160),
        )  # fmt: skip


def _collect_carried(older: Sequence[Patch]) -> tuple[dict[str, Any], list[str]]:
    """The values and tags of older patches, the newest value of each key."""
    values: dict[str, Any] = {}
    tags: list[str] = []
    for patch in older:
        values.update(patch.values)
        # Laminar would list tags that it accepted already a second time.
        tags += patch.tag_names if patch.has_tags_to_send else []
    return values, tags


def _lock_supersedable(project: Project, trace_id: UUID) -> list[Patch]:
    """The trace's unfinished and parked patches, oldest first, locked; most traces have none."""
    return sql.fetch_objects(Patch, queries.LOCK_SUPERSEDABLE, project.pk, trace_id)


def _park_unreadable(patches: Sequence[Patch]) -> list[Patch]:
    """Park those of these locked patches that cannot be read. Returns the others."""
    readable = [patch for patch in patches if patch.is_readable]
    if len(readable) < len(patches):
        # One that is being sent right now is parked by its worker.
        states = (State.WAITING, State.ACCEPTED)
        parked = [patch for patch in patches if patch not in readable and patch.state in states]
        Patch.objects.filter(pk__in=[patch.pk for patch in parked]).update(**UNREADABLE_CHANGES)
        for patch in parked:
            parking.emit_parked(patch, Reason.UNREADABLE, UNREADABLE_MESSAGE)
            outcome_log.log_parked(patch.project_id, patch.pk, UNREADABLE_MESSAGE)
    return readable


def _drop_sent_tags(patch: Patch) -> None:
    """Remove tags that Laminar has just accepted from the newer waiting patches that carry them."""
    newer = Patch.objects.filter(project=patch.project_id, trace_id=patch.trace_id, state=State.WAITING)
    # Skip a row that is being withdrawn right now: waiting for it could deadlock.
    for newer_patch in newer.filter(pk__gt=patch.pk).exclude(tags="[]").select_for_update(skip_locked=True):
        remaining = [name for name in newer_patch.tag_names if name not in patch.tag_names]
        Patch.objects.filter(pk=newer_patch.pk).update(tags=canonical_json.dumps(remaining))


def _supersede(older: Sequence[Patch], new: Patch) -> None:
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state == State.SENDING]).update(superseded_by=new)
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state != State.SENDING]).update(
        state=State.SUPERSEDED, superseded_by=new
    )
