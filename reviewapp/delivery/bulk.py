"""Push one patch to many traces at once, and take it back while nobody has begun to push it."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.delivery.handed import Handed
from reviewapp.delivery.models import Bulk, Patch, Relay, State
from reviewapp.delivery.relaying import AT_ONCE, relay
from reviewapp.lib import canonical_json, clock
from reviewapp.traces import metadata

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
            project=project, mark=mark, defaults={"metadata": text, "made_by": user.username}
        )
        if is_new:
            record(project, user, "pushed to many", f"bulk:{bulk.pk}", traces=len(trace_ids), keys=sorted(patch))
    each = [Handed(trace_id, patch, name=f"bulk {mark} {trace_id}") for trace_id in sorted(trace_ids)]
    for start in range(0, len(each), AT_ONCE):
        source = f"bulk {bulk.pk} of {user.username}"
        relay(project, each[start : start + AT_ONCE], source=source, bulk=bulk, after=GRACE)
    return bulk


def undo(bulk: Bulk, user: User) -> int:
    """Withdraw those patches of a bulk that nobody has begun to push, the mirror as before; how many."""
    with transaction.atomic():
        if Bulk.objects.filter(pk=bulk.pk, undone_at=None).update(undone_at=clock.now()):
            record(bulk.project, user, "undid push to many", f"bulk:{bulk.pk}")
    return sum(_take_back(bulk.project, one) for one in _waiting(bulk).order_by("patch__trace_id"))


def can_be_undone(bulk: Bulk) -> bool:
    return bulk.undone_at is None and _waiting(bulk).filter(patch__due_at__gt=clock.now()).exists()


def by_state(bulk: Bulk) -> dict[str, int]:
    """How many of its patches are in each state that occurs."""
    counts = dict(Relay.objects.filter(bulk=bulk).order_by().values_list("patch__state").annotate(Count("pk")))
    return {state.value: counts[state.value] for state in State if state.value in counts}


def _waiting(bulk: Bulk) -> QuerySet[Relay]:
    """Those that nobody has ever held to push."""
    return Relay.objects.filter(bulk=bulk, patch__state=State.WAITING, patch__lease=0).select_related("patch")


def _take_back(project: Project, one: Relay) -> bool:
    """Withdraw one patch, in a transaction of its own: nobody waits for more than one trace."""
    patch: Patch = one.patch
    with transaction.atomic():
        held = metadata.hold(project, patch.trace_id)
        still = outbox.withdraw(project, patch)
        if still is None:
            return False
        metadata.take_back(project, held, json.loads(one.before), still, reviews=0)
    return True
