"""Taking the next item: one's own first, a colleague's never, each item by one person only."""

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


def ended(item: QueueItem) -> None:
    """The claim on it runs out."""
    QueueItem.objects.filter(pk=item.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))


def test_it_takes_the_first(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    taken = claiming.claim_next(queue, reviewer)
    items[0].refresh_from_db()

    assert taken == items[0].pk
    assert items[0].claimed_by == reviewer
    assert items[0].claimed_until is not None
    assert timedelta(0) < CLAIM_DURATION - (items[0].claimed_until - timezone.now()) < timedelta(seconds=30)


def test_it_takes_the_most_urgent_first(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    urgent = QueueItemFactory.create(queue=queue, priority=1)
    QueueItem.objects.filter(pk=items[0].pk).update(priority=-1)

    order = [urgent, items[1], items[2], items[0]]
    assert [claiming.claim_next(queue, user) for user in UserFactory.create_batch(4)] == [item.pk for item in order]


def test_it_gives_back_ones_own_first(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    claiming.claim(items[2], reviewer)

    assert [claiming.claim_next(queue, reviewer) for _ in range(2)] == [items[2].pk, items[2].pk]


def test_it_offers_no_item_that_a_colleague_holds(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User
) -> None:
    assert claiming.claim_next(queue, reviewer) == items[0].pk
    assert claiming.claim_next(queue, colleague) == items[1].pk


def test_it_has_none_when_colleagues_hold_all(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    for item, user in zip(items, UserFactory.create_batch(3), strict=True):
        claiming.claim(item, user)

    assert claiming.claim_next(queue, reviewer) is None


def test_it_offers_an_item_whose_claim_ended(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User
) -> None:
    claiming.claim(items[0], reviewer)
    ended(items[0])

    assert claiming.claim_next(queue, colleague) == items[0].pk


@pytest.mark.parametrize("state", [ItemState.COMPLETED, ItemState.SKIPPED])
def test_it_offers_pending_items_only(queue: Queue, items: list[QueueItem], reviewer: User, state: str) -> None:
    QueueItem.objects.filter(pk=items[0].pk).update(state=state, claimed_by=reviewer)

    assert claiming.claim_next(queue, reviewer) == items[1].pk


def test_it_does_not_offer_at_once_what_was_just_left(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    claiming.claim(items[0], reviewer)

    assert claiming.claim_next(queue, reviewer, after=items[0]) == items[1].pk


def test_it_offers_no_other_queues_items(queue: Queue, reviewer: User) -> None:
    QueueItemFactory.create(queue=QueueFactory.create(project=queue.project))

    assert claiming.claim_next(queue, reviewer) is None


def test_it_refuses_a_claim_on_what_a_colleague_holds(item: QueueItem, reviewer: User, colleague: User) -> None:
    assert claiming.claim(item, reviewer)
    item.refresh_from_db()

    assert not claiming.claim(item, colleague)
    assert (item.is_claimed_by_other(colleague), item.is_claimed_by_other(reviewer)) == (True, False)


def test_it_holds_an_item_for_longer(item: QueueItem, reviewer: User) -> None:
    claiming.claim(item, reviewer)
    QueueItem.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    item.refresh_from_db()
    claiming.claim(item, reviewer)
    item.refresh_from_db()

    assert item.claimed_until is not None
    assert item.claimed_until > timezone.now() + timedelta(minutes=4)


def test_it_writes_nothing_for_a_reload(item: QueueItem, reviewer: User) -> None:
    assert count_queries(lambda: claiming.claim(item, reviewer)) == 0


def test_it_lets_go_of_ones_own_claim_only(item: QueueItem, reviewer: User, colleague: User) -> None:
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


def test_it_skips_no_item_that_was_reviewed_meanwhile(item: QueueItem, reviewer: User) -> None:
    QueueItem.objects.update(state=ItemState.COMPLETED, version=1)

    assert not claiming.set_skipped(item, reviewer)
    assert QueueItem.objects.get().state == "completed"


def test_it_skips_no_item_that_a_colleague_reads(item: QueueItem, reviewer: User, colleague: User) -> None:
    claiming.claim(item, colleague)

    assert not claiming.set_skipped(item, reviewer)
    assert QueueItem.objects.get().state == "pending"


def test_it_skips_an_item_whose_claim_ended(item: QueueItem, reviewer: User, colleague: User) -> None:
    claiming.claim(item, colleague)
    ended(item)

    assert claiming.set_skipped(item, reviewer)


def test_it_puts_a_skipped_item_back(queue: Queue, item: QueueItem, reviewer: User) -> None:
    claiming.set_skipped(item, reviewer)

    assert [claiming.reopen(item) for _ in range(2)] == [True, False]
    assert claiming.claim_next(queue, reviewer) == item.pk


def test_it_reopens_no_completed_item(item: QueueItem) -> None:
    QueueItem.objects.update(state=ItemState.COMPLETED)

    assert not claiming.reopen(item)


def test_it_asks_the_database_as_often_in_a_long_queue(queue: Queue, items: list[QueueItem]) -> None:
    one, other = UserFactory.create_batch(2)
    few = count_queries(lambda: claiming.claim_next(queue, one))
    QueueItemFactory.create_batch(60, queue=queue)

    assert count_queries(lambda: claiming.claim_next(queue, other)) == few


@pytest.mark.django_db(transaction=True)
def test_it_gives_no_item_to_two() -> None:
    queue = QueueFactory.create()
    QueueItemFactory.create_batch(30, queue=queue)
    users = UserFactory.create_batch(8)

    def work(user: User) -> list[int]:
        """Claim, answer, and claim the next, as a reviewer does."""
        done: list[int] = []
        while number := claiming.claim_next(queue, user):
            QueueItem.objects.filter(pk=number, claimed_by=user).update(state=ItemState.COMPLETED)
            done.append(number)
        return done

    claimed = [pk for done in run_concurrently([partial(work, user) for user in users]) for pk in done]

    assert len(claimed) == 30
    assert len(set(claimed)) == 30


@pytest.mark.django_db(transaction=True)
def test_it_gives_eight_reviewers_eight_items() -> None:
    queue = QueueFactory.create()
    QueueItemFactory.create_batch(8, queue=queue)

    taken = run_concurrently([partial(claiming.claim_next, queue, user) for user in UserFactory.create_batch(8)])

    assert len({number for number in taken if number}) == 8
