"""Push one patch to many traces at once, and take it back while nobody has begun to push it."""

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
from reviewapp.delivery.patch_input import PatchInput
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import merge

# More would not be put, or taken back, while somebody waits for the page.
MOST = 2_000
# How long it waits before it is pushed: so long all of it can be undone.
GRACE = timedelta(seconds=60)


def push(project: Project, user: User, mark: UUID, patch: Mapping[str, Any], trace_ids: Sequence[UUID]) -> Bulk:
    """Put a patch for each of these traces, 100 in a transaction; they stand when this returns.

    Called again under the same mark, as after a stop, it puts only what is missing. Raises NameTaken for another patch
    under it, Undone where it was undone meanwhile.
    """
    text = canonical_json.dumps(patch)
    with transaction.atomic():
        bulk, is_new = Bulk.objects.get_or_create(
            project=project, preview_id=mark, defaults={"metadata": text, "made_by": user.username}
        )
        if is_new:
            record(project, user, "pushed to many", f"bulk:{bulk.pk}", traces=len(trace_ids), keys=sorted(patch))
    each = [PatchInput(trace_id, patch, idempotency_key=f"bulk {mark} {trace_id}") for trace_id in sorted(trace_ids)]
    for start in range(0, len(each), MAX_BATCH_SIZE):
        source = f"bulk {bulk.pk} of {user.username}"
        put_patches(project, each[start : start + MAX_BATCH_SIZE], source=source, bulk=bulk, delay=GRACE)
    return bulk


def undo(bulk: Bulk, user: User) -> int:
    """Withdraw those patches of a bulk that nobody has begun to push, the mirror as before; how many.

    One that a later change of its trace carries by now is taken out of that.
    """
    with transaction.atomic():
        if Bulk.objects.filter(pk=bulk.pk, undone_at=None).update(undone_at=clock.now()):
            record(bulk.project, user, "undid push to many", f"bulk:{bulk.pk}")
    still = _standing(bulk).filter(patch__state__in=[State.WAITING, State.SUPERSEDED])
    ordered = still.select_related("patch").order_by("patch__trace_id")
    return sum(_take_back(bulk.project, one) for one in ordered)


def count_not_undone(bulk: Bulk) -> int:
    """How many of its patches an undo did not take back."""
    return _standing(bulk).count()


def can_be_undone(bulk: Bulk) -> bool:
    if bulk.undone_at is not None:
        return False
    waits = Q(patch__state=State.WAITING, patch__lease=0, patch__due_at__gt=clock.now())
    newer = Patch.objects.filter(project=bulk.project, trace_id=OuterRef("patch__trace_id"), state=State.WAITING)
    is_carried = Q(Exists(newer.filter(lease=0)), patch__state=State.SUPERSEDED)
    return _standing(bulk).filter(waits | is_carried).exists()


def by_state(bulk: Bulk) -> dict[str, int]:
    """How many of its patches are in each state that occurs."""
    counts = dict(
        IdempotentPatch.objects.filter(bulk=bulk).order_by().values_list("patch__state").annotate(Count("pk"))
    )
    return {state.value: counts[state.value] for state in State if state.value in counts}


def _standing(bulk: Bulk) -> QuerySet[IdempotentPatch]:
    return IdempotentPatch.objects.filter(bulk=bulk).exclude(previous_values="{}")


def _take_back(project: Project, one: IdempotentPatch) -> bool:
    """Withdraw one patch, in a transaction of its own: nobody waits for more than one trace."""
    with transaction.atomic():
        held = merge.lock_trace(project, one.patch.trace_id)
        # Both again, now that nobody else changes them.
        one = IdempotentPatch.objects.select_related("patch").get(pk=one.pk)
        before: dict[str, str | None] = json.loads(one.previous_values)
        if not before:
            return False
        still = outbox.withdraw(project, one.patch)
        if still is None:
            still = _take_out(one.patch, before.keys())
        if still is None:
            return False
        merge.revert_patch(project, held, before, still, review_count=0)
        IdempotentPatch.objects.filter(pk=one.pk).update(previous_values="{}")
    return True


def _take_out(patch: Patch, keys: Set[str]) -> dict[str, Any] | None:
    """Take a superseded patch's keys out of those that carry them, in the caller's transaction, its trace held.

    Returns what older patches say under these keys: that is carried on. None when one of them was taken for sending,
    which it may have been, or has set such a key itself.
    """
    carriers = _carriers(patch)
    if not carriers or patch.lease or not all(one.lease == 0 and keys <= one.carried_keys for one in carriers):
        return None
    older: dict[str, Any] = {}
    for one in Patch.objects.filter(superseded_by=patch).order_by("pk"):
        older.update(one.values)
    again = {key: older[key] for key in keys if key in older}
    # The newest first, the only one that may be begun in this moment: nothing has been written then.
    for one in reversed(carriers):
        values = {key: value for key, value in one.values.items() if key not in keys} | again
        passed_on = one.carried_keys - keys | again.keys()
        changes = {"metadata": canonical_json.dumps(values), "carried": canonical_json.dumps(sorted(passed_on))}
        state = State.WAITING if one is carriers[-1] else State.SUPERSEDED
        if not Patch.objects.filter(pk=one.pk, state=state, lease=0).update(**changes):
            return None
    Patch.objects.filter(superseded_by=patch).update(superseded_by=carriers[0])
    said = "Undone before it was sent: no later change of the trace carries it any more."
    Patch.objects.filter(pk=patch.pk).update(superseded_by=None, last_error=said)
    return again


def _carriers(patch: Patch) -> list[Patch]:
    """The patches that carry this one's keys, each superseded by the next."""
    found = []
    newer = patch.superseded_by
    while newer is not None:
        found.append(newer)
        newer = newer.superseded_by
    return found
