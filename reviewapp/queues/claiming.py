"""Claim an item for some minutes, so that two reviewers do not read the same one."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues import assignments, queries, second_look
from reviewapp.queues.models import CLAIM_DURATION, ItemState, Queue, QueueItem


class TakenRevision(NamedTuple):
    """The number of a new revision, and to how many people its item is assigned."""

    revision: int
    assigned_count: int


def claim_next(queue: Queue, user: User, *, after: QueueItem | None = None) -> int | None:
    """Claim the next item for this person and return its primary key, or None if there is none.

    What was sent back to them comes first, then an item they have already claimed, then what is assigned to them, then
    the first free one. With `after`, the item just left, that item is excluded, and so is what they have claimed.
    """
    now = clock.now()
    if after is None:
        own = (queue.pk, user.pk)
        claimed = sql.fetch_first(QueueItem, queries.CLAIMED_BY_USER, *own, now, *own)
        if claimed is not None and claim(claimed, user):
            return claimed.pk
    excluded_pk = 0 if after is None else after.pk
    # A transaction around one statement, because SQLite then retries sooner while it waits for the write lock.
    with transaction.atomic():
        claim_fields = (user.pk, now + CLAIM_DURATION)
        assigned, free = _claim_conditions(queue, user, excluded_pk, now)
        rows = sql.fetch_rows(queries.CLAIM_FIRST, *claim_fields, *assigned, *free)
        postponed = (queue.pk, excluded_pk, user.pk, now, user.pk, user.pk)
        rows = rows or sql.fetch_rows(queries.CLAIM_POSTPONED, *claim_fields, *postponed)
    return int(rows[0][0]) if rows else None


def find_next(queue: Queue, user: User) -> int | None:
    """The primary key of the item that `claim_next` would claim, or None; claims nothing."""
    now, own = clock.now(), (queue.pk, user.pk)
    claimed = sql.fetch_first(QueueItem, queries.CLAIMED_BY_USER, *own, now, *own)
    if claimed is not None and not _has_done(claimed, user):
        return claimed.pk
    if upcoming := list_upcoming(queue, user, 0, 1):
        return upcoming[0]
    rows = sql.fetch_rows(queries.FIRST_POSTPONED, queue.pk, 0, user.pk, now, user.pk, user.pk)
    return int(rows[0][0]) if rows else None


def needs_claim(item: QueueItem, version: int) -> bool:
    """Whether nobody has the item, and a person can claim it whose form is at this `get_version`."""
    return item.state == ItemState.PENDING and not item.is_claimed and not (item.review_count and version)


def list_upcoming(queue: Queue, user: User, after: int, count: int) -> list[int]:
    """Primary keys of the items this person would get next, at most `count` and never `after`; claims none."""
    assigned, free = _claim_conditions(queue, user, after, clock.now())
    return [int(row[0]) for row in sql.fetch_rows(queries.UPCOMING, *assigned, count, *free, count, count)]


def claim_by_pk(queue: Queue, user: User, number: int, *, after: QueueItem) -> bool:
    """Claim exactly this item of the queue; False if it is no longer free, or is `after`, the item just left."""
    now = clock.now()
    with transaction.atomic():
        assigned, free = _claim_conditions(queue, user, after.pk, now)
        values = (user.pk, now + CLAIM_DURATION, *assigned, number, *free, number)
        return bool(sql.execute(queries.CLAIM_BY_PK, *values))


def claim(item: QueueItem, user: User) -> bool:
    """Claim the item, or extend one's claim.

    False if a colleague has claimed it, it is no longer pending, others are to review it, or this person has reviewed
    it and nobody has sent it back to them.
    """
    now = clock.now()
    if _has_fresh_claim(item, user, now):
        return True
    if assignments.is_reserved(item, user):
        return False
    if _has_done(item, user):
        return False
    claimable = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING).free_for(user, now)
    if not claimable.update(claimed_by=user, claimed_until=now + CLAIM_DURATION):
        return False
    item.claimed_by, item.claimed_until = user, now + CLAIM_DURATION
    return True


def release(item: QueueItem, user: User, **note: str) -> bool:
    """End one's claim on a pending item; False if it has been reviewed since or a colleague has claimed it.

    `note` are the item's fields that say who skipped it and why, if that ends the claim.
    """
    pending = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING, version=item.version)
    return bool(pending.free_for(user, clock.now()).update(claimed_by=None, claimed_until=None, **note))


def take_over(item: QueueItem, user: User) -> bool:
    """Claim a pending item even if a colleague has claimed it; False if it is no longer pending."""
    pending = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING)
    return bool(pending.update(claimed_by=user, claimed_until=clock.now() + CLAIM_DURATION))


def shorten_claims() -> None:
    """End claims that last longer than one can, because the clock was set back, within CLAIM_DURATION."""
    until = clock.now() + CLAIM_DURATION
    QueueItem.objects.filter(state=ItemState.PENDING, claimed_until__gt=until).update(claimed_until=until)


def complete(item: QueueItem, version: int, *, stays_pending: bool = False) -> TakenRevision | None:
    """Mark the item reviewed, end its claim and increment its version.

    None if it is no longer at `version`, or no longer at its trace: see sessions.py. An unsure answer leaves
    it pending, for a second person.
    """
    now = clock.now()
    changes = (ItemState.PENDING.value, None, now, 0) if stays_pending else (ItemState.COMPLETED.value, now, now, 1)
    rows = sql.fetch_rows(queries.COMPLETE, *changes, item.pk, version, item.trace_id)
    return TakenRevision(version + 1, int(rows[0][0])) if rows else None


def add_revision(item: QueueItem, user: User) -> TakenRevision | None:
    """Increment the version of an item that several people review, which locks it, and end this person's claim.

    None if the item is no longer at its trace: see sessions.py.
    """
    rows = sql.fetch_rows(queries.ADD_REVISION, user.pk, item.pk, item.trace_id)
    return TakenRevision(*map(int, rows[0])) if rows else None


def get_own_version(item: QueueItem, user: User) -> int:
    """The number of this person's newest revision of the item, undone ones included; 0 if there is none."""
    return int(sql.fetch_rows(queries.OWN_VERSION, item.pk, user.pk)[0][0] or 0)


def get_version(item: QueueItem, user: User) -> int:
    """What this person's form is compared by: it changes with each review that could contradict theirs.

    That is the item's version or, if several people review it, that of their own review.
    """
    return get_own_version(item, user) if item.has_several_reviewers else item.version


def count_review(item: QueueItem, review_count: int) -> bool:
    """Store how many people have reviewed the item, locked by `add_revision`; complete it once these are enough.

    Returns whether it is completed.
    """
    items = QueueItem.objects.filter(pk=item.pk)
    required, assigned_count = items.values_list("reviews_required", "assigned_count").get()
    if required is None and second_look.is_chosen(item):
        required = item.queue.reviewers_per_item + 1
    is_completed = review_count >= (required or item.queue.reviewers_per_item)
    if assigned_count and assignments.has_sent_back(item):
        is_completed = False
    if is_completed:
        incomplete = items.exclude(state=ItemState.COMPLETED)
        incomplete.update(state=ItemState.COMPLETED, completed_at=clock.now(), claimed_by=None, claimed_until=None)
    else:
        items.filter(state=ItemState.COMPLETED).update(state=ItemState.PENDING, completed_at=None)
    items.change(review_count=review_count, reviews_required=required)
    return is_completed


def complete_reviewed(queue: Queue) -> int:
    """Complete the pending items that enough people have reviewed, after the queue asked for fewer; their number."""
    reviewed = QueueItem.objects.pending().filter(queue=queue, reviews_required=None, assigned_count=0)
    reviewed = reviewed.filter(review_count__gt=0, review_count__gte=queue.reviewers_per_item)
    return reviewed.change(state=ItemState.COMPLETED, completed_at=clock.now(), claimed_by=None, claimed_until=None)


def revert_completion(item: QueueItem, user: User, version: int, state: ItemState, review_count: int) -> bool:
    """Undo the completion that led to `version`: set `state` and claim the item for this person.

    False if the item has changed since, or a colleague has claimed it.
    """
    now = clock.now()
    completed = QueueItem.objects.filter(pk=item.pk, version=version).free_for(user, now)
    return bool(
        completed.change(
            version=F("version") + 1, state=state, review_count=review_count,
            claimed_by=user, claimed_until=now + CLAIM_DURATION,
        )
    )  # fmt: skip


def set_skipped(item: QueueItem, user: User, **note: str) -> bool:
    """Mark a pending item skipped; False if it has been reviewed or skipped since, or a colleague has claimed it.

    `note` are the item's fields that say who skipped it and why.
    """
    pending = QueueItem.objects.filter(pk=item.pk, state=ItemState.PENDING, version=item.version)
    skippable = pending.free_for(user, clock.now())
    return bool(skippable.change(state=ItemState.SKIPPED, claimed_by=None, claimed_until=None, **note))


def reclaim_skipped(item: QueueItem, user: User, kinds: Collection[str]) -> bool:
    """Make an item pending again and claim it, if this person skipped it in one of these `kinds`.

    False if it has been reviewed since, a colleague has claimed it, or this person did not skip it.
    """
    now = clock.now()
    skipped = QueueItem.objects.filter(pk=item.pk, version=item.version).exclude(state=ItemState.COMPLETED)
    skipped = skipped.free_for(user, now).filter(skips__user=user, skips__kind__in=kinds)
    claim_fields = {"claimed_by": user, "claimed_until": now + CLAIM_DURATION}
    return bool(skipped.change(state=ItemState.PENDING, skipped_by="", skip_reason="", **claim_fields))


def reopen(item: QueueItem) -> bool:
    """Make a skipped item pending again; False if it was not skipped."""
    return bool(QueueItem.objects.filter(pk=item.pk, state=ItemState.SKIPPED).change(state=ItemState.PENDING))


def _claim_conditions(
    queue: Queue, user: User, excluded_pk: int, now: datetime
) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """The values of the conditions for what is assigned to a person, and for what is free."""
    pending = (excluded_pk, user.pk, now)
    assigned = (queue.pk, user.pk, *pending, user.pk)
    return assigned, (
        queue.pk, *pending, user.pk, user.pk, queue.reviewers_per_item, user.pk, queue.who_reviews, user.pk,
    )  # fmt: skip


def _has_done(item: QueueItem, user: User) -> bool:
    """Whether this person has reviewed an item that others review too, and nobody has sent it back to them."""
    is_reviewed = bool(item.review_count) and bool(get_own_version(item, user))
    return is_reviewed and assignments.get_own(item, user) is None


def _has_fresh_claim(item: QueueItem, user: User, now: datetime) -> bool:
    # A reload within the first minute of a claim writes nothing.
    return (
        item.claimed_by_id == user.pk
        and item.claimed_until is not None
        and item.claimed_until > now + CLAIM_DURATION * 0.8
    )
