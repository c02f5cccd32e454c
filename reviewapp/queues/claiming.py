"""Take an item for some minutes, so that two reviewers do not read the same one."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues.models import CLAIM_DURATION, ItemState, Queue, QueueItem

# What a person would be given: values are the queue, an item not to be given, the person, the time, the person again.
_FREE = """
    SELECT i.id FROM reviewapp_queueitem i
    WHERE i.queue_id = %s AND i.state = 'pending' AND i.id <> %s
        AND (i.claimed_by_id IS NULL OR i.claimed_by_id = %s OR i.claimed_until <= %s)
        AND NOT EXISTS (SELECT 1 FROM reviewapp_pass p WHERE p.item_id = i.id AND p.user_id = %s)
"""
# When nothing of that is left: what the person put off, the longest ago first.
_PUT_OFF = """
    SELECT i.id FROM reviewapp_queueitem i JOIN reviewapp_pass p ON p.item_id = i.id
    WHERE i.queue_id = %s AND i.state = 'pending' AND i.id <> %s
        AND (i.claimed_by_id IS NULL OR i.claimed_by_id = %s OR i.claimed_until <= %s)
        AND p.user_id = %s AND p.kind = 'later'
    ORDER BY p.at, i.id LIMIT 1
"""
# One statement, so that no two people get the same item: an item that a colleague takes this moment is passed over.
_CLAIM = "UPDATE reviewapp_queueitem SET claimed_by_id = %s, claimed_until = %s"
_FIRST = f"{_FREE} ORDER BY i.priority DESC, i.id LIMIT 1 FOR UPDATE OF i SKIP LOCKED"
_CLAIM_FIRST = f"{_CLAIM} WHERE id = ({_FIRST}) RETURNING id"
_CLAIM_PUT_OFF = f"{_CLAIM} WHERE id = ({_PUT_OFF} FOR UPDATE OF i SKIP LOCKED) RETURNING id"
_CLAIM_THIS = f"{_CLAIM} WHERE id = ({_FREE} AND i.id = %s FOR UPDATE OF i SKIP LOCKED)"
_UPCOMING = f"{_FREE} ORDER BY i.priority DESC, i.id LIMIT %s"
_HELD = """
    SELECT * FROM reviewapp_queueitem
    WHERE queue_id = %s AND claimed_by_id = %s AND state = 'pending' AND claimed_until > %s
    ORDER BY priority DESC, id LIMIT 1
"""
_COMPLETE = """
    UPDATE reviewapp_queueitem
    SET version = version + 1, state = %s, completed_at = %s, claimed_by_id = NULL, claimed_until = NULL
    WHERE id = %s AND version = %s
"""
_GIVE_BACK = """
    UPDATE reviewapp_queueitem
    SET version = version + 1, state = %s, claimed_by_id = %s, claimed_until = %s WHERE id = %s AND version = %s
"""


def claim_next(queue: Queue, user: User, *, after: QueueItem | None = None) -> int | None:
    """The number of the item this person already holds, or else of the first free one, claimed; None without any.

    `after` was just left: it is not offered again at once, and whoever goes on takes the first in order.
    """
    now = clock.now()
    if after is None:
        held = sql.fetch_first(QueueItem, _HELD, queue.pk, user.pk, now)
        if held is not None and claim(held, user):
            return held.pk
    left = 0 if after is None else after.pk
    # In a transaction although it is one statement: there SQLite waits for its turn more closely.
    with transaction.atomic():
        who = (user.pk, now + CLAIM_DURATION, queue.pk, left, user.pk, now, user.pk)
        taken = sql.fetch_rows(_CLAIM_FIRST, *who) or sql.fetch_rows(_CLAIM_PUT_OFF, *who)
    return int(taken[0][0]) if taken else None


def list_upcoming(queue: Queue, user: User, after: int, count: int) -> list[int]:
    """The numbers of the items this person would be given next, at most `count` and never `after`; claims none."""
    return [int(row[0]) for row in sql.fetch_rows(_UPCOMING, queue.pk, after, user.pk, clock.now(), user.pk, count)]


def claim_by_pk(queue: Queue, user: User, number: int, *, after: QueueItem) -> bool:
    """Claim exactly this item of the queue; False when it is no longer to be had, or is the one just left."""
    now = clock.now()
    with transaction.atomic():
        who = (user.pk, now + CLAIM_DURATION, queue.pk, after.pk, user.pk, now, user.pk)
        return bool(sql.execute(_CLAIM_THIS, *who, number))


def claim(item: QueueItem, user: User) -> bool:
    """Hold the item for some minutes, or for some more; False when a colleague holds it or it is no longer pending."""
    now = clock.now()
    if _is_fresh(item, user, now):
        return True
    taken = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING).free_for(user, now)
    if not taken.update(claimed_by=user, claimed_until=now + CLAIM_DURATION):
        return False
    item.claimed_by, item.claimed_until = user, now + CLAIM_DURATION
    return True


def release(item: QueueItem, user: User) -> bool:
    """End one's claim of an item that stays pending; False when it was reviewed meanwhile or a colleague holds it."""
    mine = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING, version=item.version)
    return bool(mine.free_for(user, clock.now()).update(claimed_by=None, claimed_until=None))


def take_over(item: QueueItem, user: User) -> bool:
    """Claim a pending item even from a colleague who holds it; False when it is no longer pending."""
    pending = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING)
    return bool(pending.update(claimed_by=user, claimed_until=clock.now() + CLAIM_DURATION))


def complete(item: QueueItem, version: int, *, stays_pending: bool = False) -> bool:
    """Take the item one version on, as reviewed and free of claims; False when it is no longer at `version`.

    An unsure answer leaves it pending, for a second person.
    """
    state, now = (ItemState.PENDING, None) if stays_pending else (ItemState.COMPLETED, clock.now())
    return bool(sql.execute(_COMPLETE, state.value, now, item.pk, version))


def revert_completion(item: QueueItem, user: User, version: int, state: ItemState) -> bool:
    """Undo what took the item to `version`: in `state` and held by this person; False when it moved on meanwhile."""
    return bool(sql.execute(_GIVE_BACK, state.value, user.pk, clock.now() + CLAIM_DURATION, item.pk, version))


def set_skipped(item: QueueItem, user: User) -> bool:
    """Leave a pending item out; False when it was reviewed or skipped meanwhile, or a colleague holds it."""
    mine = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING, version=item.version)
    return bool(mine.free_for(user, clock.now()).update(state=ItemState.SKIPPED, claimed_by=None, claimed_until=None))


def put_back(item: QueueItem, user: User, passes: Collection[str]) -> bool:
    """Hold an item that one has passed on in one of these ways, pending again; False when it was reviewed meanwhile, a
    colleague holds it, or one has not.
    """
    now = clock.now()
    mine = QueueItem.objects.filter(pk=item.pk, version=item.version).exclude(state=ItemState.COMPLETED)
    mine = mine.free_for(user, now).filter(skips__user=user, skips__kind__in=passes)
    return bool(mine.update(state=ItemState.PENDING, claimed_by=user, claimed_until=now + CLAIM_DURATION))


def reopen(item: QueueItem) -> bool:
    """Put a skipped item back; False when it was not skipped."""
    return bool(QueueItem.objects.filter(pk=item.pk, state=ItemState.SKIPPED).update(state=ItemState.PENDING))


def _is_fresh(item: QueueItem, user: User, now: datetime) -> bool:
    # A reload within the first minute of a claim writes nothing.
    return (
        item.claimed_by_id == user.pk
        and item.claimed_until is not None
        and item.claimed_until > now + CLAIM_DURATION * 0.8
    )
