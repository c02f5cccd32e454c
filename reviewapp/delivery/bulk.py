"""Push one patch to many traces at once, and undo it for the traces whose push has not started."""

import json
from collections.abc import Mapping, Sequence, Set
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.delivery.intake import MAX_BATCH_SIZE, put_patches
from reviewapp.delivery.models import Bulk, IdempotentPatch, Patch, State
from reviewapp.delivery.patch_validation import PatchInput
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import merge

# More than this would take too long to write, or to undo, while someone waits for the page.
MAX_TRACES = 2_000
# How long a bulk waits before it is pushed; until then all of it can be undone.
UNDO_WINDOW = timedelta(seconds=60)


def push(
    project: Project, user: User, preview_id: UUID, metadata: Mapping[str, Any], trace_ids: Sequence[UUID]
) -> Bulk:
    """Put a patch for each of these traces, 100 per transaction; all are committed when this returns.

    Called again with the same `preview_id`, for example after a crash, it puts only the missing ones.
    Raises IdempotencyKeyReusedError if that id was used for another patch, BulkUndoneError if the bulk was undone.
    """
    text = canonical_json.dumps(metadata)
    with transaction.atomic():
        bulk, is_new = Bulk.objects.get_or_create(
            project=project, preview_id=preview_id, defaults={"metadata": text, "made_by": user.username}
        )
        if is_new:
            record(project, user, "started bulk push", f"bulk:{bulk.pk}", traces=len(trace_ids), keys=sorted(metadata))
    patches = [
        PatchInput(trace_id, metadata, idempotency_key=f"bulk {preview_id} {trace_id}")
        for trace_id in sorted(trace_ids)
    ]
    for start in range(0, len(patches), MAX_BATCH_SIZE):
        source = f"bulk {bulk.pk} of {user.username}"
        put_patches(project, patches[start : start + MAX_BATCH_SIZE], source=source, bulk=bulk, delay=UNDO_WINDOW)
    return bulk


def undo(bulk: Bulk, user: User) -> int:
    """Withdraw the bulk's patches whose push has not started, and restore the mirror. Returns how many.

    The keys of a patch that a later change of its trace carries by now are removed from that change.
    """
    with transaction.atomic():
        if Bulk.objects.filter(pk=bulk.pk, undone_at=None).update(undone_at=clock.now()):
            record(bulk.project, user, "undid bulk push", f"bulk:{bulk.pk}")
    candidates = _not_undone(bulk).filter(patch__state__in=[State.WAITING, State.SUPERSEDED])
    ordered = candidates.select_related("patch").order_by("patch__trace_id")
    return sum(_undo_patch(bulk.project, idempotent_patch) for idempotent_patch in ordered)


def count_not_undone(bulk: Bulk) -> int:
    """Count the bulk's patches that were not undone."""
    return _not_undone(bulk).count()


def can_be_undone(bulk: Bulk) -> bool:
    if bulk.undone_at is not None:
        return False
    is_waiting = Q(patch__state=State.WAITING, patch__lease=0, patch__due_at__gt=clock.now())
    newer = Patch.objects.filter(project=bulk.project, trace_id=OuterRef("patch__trace_id"), state=State.WAITING)
    is_carried = Q(Exists(newer.filter(lease=0)), patch__state=State.SUPERSEDED)
    return _not_undone(bulk).filter(is_waiting | is_carried).exists()


def count_by_state(bulk: Bulk) -> dict[str, int]:
    """Count the bulk's patches in each state that occurs."""
    counts = dict(
        IdempotentPatch.objects.filter(bulk=bulk).order_by().values_list("patch__state").annotate(Count("pk"))
    )
    return {state.value: counts[state.value] for state in State if state.value in counts}


def _not_undone(bulk: Bulk) -> QuerySet[IdempotentPatch]:
    return IdempotentPatch.objects.filter(bulk=bulk).exclude(previous_values="{}")


def _undo_patch(project: Project, idempotent_patch: IdempotentPatch) -> bool:
    """Undo one patch in its own transaction, so that nobody waits for more than one trace."""
    with transaction.atomic():
        locked_trace = merge.lock_trace(project, idempotent_patch.patch.trace_id)
        # Reload both rows: with the trace locked, nobody else changes them.
        idempotent_patch = IdempotentPatch.objects.select_related("patch").get(pk=idempotent_patch.pk)
        previous_values: dict[str, str | None] = json.loads(idempotent_patch.previous_values)
        if not previous_values:
            return False
        older_values = outbox.withdraw(project, idempotent_patch.patch)
        if older_values is None:
            older_values = _remove_from_carriers(idempotent_patch.patch, previous_values.keys())
        if older_values is None:
            return False
        merge.revert_patch(project, locked_trace, previous_values, older_values, review_count=0)
        IdempotentPatch.objects.filter(pk=idempotent_patch.pk).update(previous_values="{}")
    return True


def _remove_from_carriers(patch: Patch, keys: Set[str]) -> dict[str, Any] | None:
    """Remove a superseded patch's keys from the patches that carry them. Call it in a transaction, the trace locked.

    Returns the values that older patches set under these keys, which are carried on. None if one of the patches was
    leased, so it may have been sent, or has set such a key itself.
    """
    carriers = _find_carriers(patch)
    if not carriers or patch.lease:
        return None
    if not all(carrier.lease == 0 and keys <= carrier.carried_keys for carrier in carriers):
        return None
    older_values: dict[str, Any] = {}
    for older in Patch.objects.filter(superseded_by=patch).order_by("pk"):
        older_values.update(older.values)
    restored = {key: older_values[key] for key in keys if key in older_values}
    # Start with the newest, the only one that a worker could lease meanwhile: then nothing has been written yet.
    for carrier in reversed(carriers):
        values = {key: value for key, value in carrier.values.items() if key not in keys} | restored
        carried = carrier.carried_keys - keys | restored.keys()
        changes = {"metadata": canonical_json.dumps(values), "carried": canonical_json.dumps(sorted(carried))}
        state = State.WAITING if carrier is carriers[-1] else State.SUPERSEDED
        if not Patch.objects.filter(pk=carrier.pk, state=state, lease=0).update(**changes):
            return None
    Patch.objects.filter(superseded_by=patch).update(superseded_by=carriers[0])
    outcome = "Undone before it was sent. Later changes of the trace no longer include it."
    Patch.objects.filter(pk=patch.pk).update(superseded_by=None, last_error=outcome)
    return restored


def _find_carriers(patch: Patch) -> list[Patch]:
    """The patches that carry this patch's keys, each superseded by the next."""
    carriers = []
    newer = patch.superseded_by
    while newer is not None:
        carriers.append(newer)
        newer = newer.superseded_by
    return carriers
