"""Claim the next item: one's own claim first, never a colleague's, and each item by one person only."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import CLAIM_DURATION, ItemState, Queue, QueueItem
from tests.factories import QueueFactory, QueueItemFactory, UserFactory
from tests.queries import count_queries
from tests.threads import run_concurrently


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return QueueItemFactory.create_batch(3, queue=queue)


def expire_claim(item: QueueItem) -> None:
    QueueItem.objects.filter(pk=item.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))


def test_it_claims_the_first_item(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    claimed_pk = claiming.claim_next(queue, reviewer)
    items[0].refresh_from_db()

    assert claimed_pk == items[0].pk
    assert items[0].claimed_by == reviewer
    assert items[0].claimed_until is not None
    assert timedelta(0) < CLAIM_DURATION - (items[0].claimed_until - timezone.now()) < timedelta(seconds=30)


def test_it_claims_the_highest_priority_first(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    urgent = QueueItemFactory.create(queue=queue, priority=1)
    QueueItem.objects.filter(pk=items[0].pk).update(priority=-1)

    order = [urgent, items[1], items[2], items[0]]
    assert [claiming.claim_next(queue, user) for user in UserFactory.create_batch(4)] == [item.pk for item in order]


def test_it_returns_an_existing_claim_first(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    claiming.claim(items[2], reviewer)

    assert [claiming.claim_next(queue, reviewer) for _ in range(2)] == [items[2].pk, items[2].pk]


def test_it_passes_over_an_item_claimed_by_a_colleague(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User
) -> None:
    assert claiming.claim_next(queue, reviewer) == items[0].pk
    assert claiming.claim_next(queue, colleague) == items[1].pk


def test_it_returns_none_when_colleagues_have_claimed_all(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    for item, user in zip(items, UserFactory.create_batch(3), strict=True):
        claiming.claim(item, user)

    assert claiming.claim_next(queue, reviewer) is None


def test_it_claims_an_item_with_an_expired_claim(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User
) -> None:
    claiming.claim(items[0], reviewer)
    expire_claim(items[0])

    assert claiming.claim_next(queue, colleague) == items[0].pk


@pytest.mark.parametrize("state", [ItemState.COMPLETED, ItemState.SKIPPED])
def test_it_claims_pending_items_only(queue: Queue, items: list[QueueItem], reviewer: User, state: str) -> None:
    QueueItem.objects.filter(pk=items[0].pk).update(state=state, claimed_by=reviewer)

    assert claiming.claim_next(queue, reviewer) == items[1].pk


def test_it_excludes_the_item_just_left(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    claiming.claim(items[0], reviewer)

    assert claiming.claim_next(queue, reviewer, after=items[0]) == items[1].pk


def test_it_claims_no_items_of_other_queues(queue: Queue, reviewer: User) -> None:
    QueueItemFactory.create(queue=QueueFactory.create(project=queue.project))

    assert claiming.claim_next(queue, reviewer) is None


def test_it_refuses_an_item_claimed_by_a_colleague(item: QueueItem, reviewer: User, colleague: User) -> None:
    assert claiming.claim(item, reviewer)
    item.refresh_from_db()

    assert not claiming.claim(item, colleague)
    assert (item.is_claimed_by_other(colleague), item.is_claimed_by_other(reviewer)) == (True, False)


def test_it_extends_a_claim(item: QueueItem, reviewer: User) -> None:
    claiming.claim(item, reviewer)
    QueueItem.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    item.refresh_from_db()
    claiming.claim(item, reviewer)
    item.refresh_from_db()

    assert item.claimed_until is not None
    assert item.claimed_until > timezone.now() + timedelta(minutes=4)


def test_it_writes_nothing_on_a_reload(item: QueueItem, reviewer: User) -> None:
    assert count_queries(lambda: claiming.claim(item, reviewer)) == 0


def test_it_releases_ones_own_claim_only(item: QueueItem, reviewer: User, colleague: User) -> None:
    claiming.claim(item, reviewer)
    claiming.release(item, colleague)
    assert not claiming.claim(QueueItem.objects.get(), colleague)

    claiming.release(item, reviewer)
    assert claiming.claim(QueueItem.objects.get(), colleague)


def test_it_skips_an_item(item: QueueItem, reviewer: User) -> None:
    claiming.claim(item, reviewer)

    assert claiming.set_skipped(item, reviewer)
    item.refresh_from_db()
    assert (item.state, item.claimed_by) == ("skipped", None)


def test_it_refuses_to_skip_a_reviewed_item(item: QueueItem, reviewer: User) -> None:
    QueueItem.objects.update(state=ItemState.COMPLETED, version=1)

    assert not claiming.set_skipped(item, reviewer)
    assert QueueItem.objects.get().state == "completed"


def test_it_refuses_to_skip_an_item_claimed_by_a_colleague(item: QueueItem, reviewer: User, colleague: User) -> None:
    claiming.claim(item, colleague)

    assert not claiming.set_skipped(item, reviewer)
    assert QueueItem.objects.get().state == "pending"


def test_it_skips_an_item_with_an_expired_claim(item: QueueItem, reviewer: User, colleague: User) -> None:
    claiming.claim(item, colleague)
    expire_claim(item)

    assert claiming.set_skipped(item, reviewer)


def test_it_reopens_a_skipped_item(queue: Queue, item: QueueItem, reviewer: User) -> None:
    claiming.set_skipped(item, reviewer)

    assert [claiming.reopen(item) for _ in range(2)] == [True, False]
    assert claiming.claim_next(queue, reviewer) == item.pk


def test_it_refuses_to_reopen_a_completed_item(item: QueueItem) -> None:
    QueueItem.objects.update(state=ItemState.COMPLETED)

    assert not claiming.reopen(item)


def test_it_needs_no_more_queries_in_a_long_queue(queue: Queue, items: list[QueueItem]) -> None:
    first, second = UserFactory.create_batch(2)
    query_count = count_queries(lambda: claiming.claim_next(queue, first))
    QueueItemFactory.create_batch(60, queue=queue)

    assert count_queries(lambda: claiming.claim_next(queue, second)) == query_count


@pytest.mark.django_db(transaction=True)
def test_it_claims_no_item_for_two_people() -> None:
    queue = QueueFactory.create()
    QueueItemFactory.create_batch(30, queue=queue)
    users = UserFactory.create_batch(8)

    def complete_all(user: User) -> list[int]:
        """Claim, complete and claim the next item until none is left."""
        completed: list[int] = []
        while pk := claiming.claim_next(queue, user):
            QueueItem.objects.filter(pk=pk, claimed_by=user).update(state=ItemState.COMPLETED)
            completed.append(pk)
        return completed

    claimed = [pk for pks in run_concurrently([partial(complete_all, user) for user in users]) for pk in pks]

    assert len(claimed) == 30
    assert len(set(claimed)) == 30


@pytest.mark.django_db(transaction=True)
def test_it_claims_eight_items_for_eight_reviewers() -> None:
    queue = QueueFactory.create()
    QueueItemFactory.create_batch(8, queue=queue)

    claimed = run_concurrently([partial(claiming.claim_next, queue, user) for user in UserFactory.create_batch(8)])

    assert len({pk for pk in claimed if pk}) == 8
