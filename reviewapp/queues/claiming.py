"""Take an item for some minutes, so that two reviewers do not read the same one."""

from datetime import datetime

from django.db.models import Q

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models import CLAIM, ItemState, Queue, QueueItem

# So many candidates are looked at in one go; a claim lost to a colleague takes the next.
CANDIDATES = 8


def claim_next(queue: Queue, user: User, *, after: QueueItem | None = None) -> QueueItem | None:
    """The item this person already holds, or else the first free one, claimed; None when there is none.

    `after` was just left: it is not offered again at once, and whoever goes on takes the first in order.
    """
    now = clock.now()
    pending = QueueItem.objects.filter(queue=queue).pending()
    if after is not None:
        pending = pending.exclude(pk=after.pk)
    else:
        held = pending.filter(claimed_by=user, claimed_until__gt=now).in_order().first()
        if held is not None and claim(held, user):
            return held
    while True:
        candidates = list(pending.free_for(user, now).in_order()[:CANDIDATES])
        for item in candidates:
            if claim(item, user):
                return item
        if len(candidates) < CANDIDATES:
            return None


def claim(item: QueueItem, user: User) -> bool:
    """Hold the item for some minutes, or for some more; False when a colleague holds it or it is no longer pending."""
    now = clock.now()
    if _is_fresh(item, user, now):
        return True
    taken = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING).free_for(user, now)
    if not taken.update(claimed_by=user, claimed_until=now + CLAIM):
        return False
    item.claimed_by, item.claimed_until = user, now + CLAIM
    return True


def release(item: QueueItem, user: User) -> None:
    """Let go of one's own claim."""
    QueueItem.objects.filter(Q(claimed_by=user), pk=item.pk).update(claimed_by=None, claimed_until=None)


def skip(item: QueueItem, user: User) -> bool:
    """Leave a pending item out; False when it was reviewed or skipped meanwhile."""
    return bool(
        QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING, version=item.version).update(
            state=ItemState.SKIPPED, claimed_by=None, claimed_until=None
        )
    )


def reopen(item: QueueItem) -> bool:
    """Put a skipped item back; False when it was not skipped."""
    return bool(QueueItem.objects.filter(pk=item.pk, state=ItemState.SKIPPED).update(state=ItemState.PENDING))


def _is_fresh(item: QueueItem, user: User, now: datetime) -> bool:
    # A reload within the first minute of a claim writes nothing.
    return item.claimed_by_id == user.pk and item.claimed_until is not None and item.claimed_until > now + CLAIM * 0.8
