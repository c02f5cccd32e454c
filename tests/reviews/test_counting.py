"""Counters of reviews: kept beside every save and undo, recounted and repaired."""

from decimal import Decimal
from typing import Any

import pytest

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.reviews import counting
from reviewapp.reviews.count_models import ReviewCount
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import undo
from tests.factories import QueueItemFactory, ReviewFactory, UserFactory
from tests.queries import count_queries

GOOD = Answers(Decimal("0.8"), "Right.", needs_review=True)
BAD = Answers(Decimal(0), "", needs_review=False)


def get_counts(user: User) -> list[tuple[Any, ...]]:
    """The person's daily counts that are not zero: reviews, flagged, unsure, timed and seconds."""
    rows = ReviewCount.objects.by_day().filter(reviewer=user).exclude(reviews=0).order_by("value")
    return list(rows.values_list("reviews", "flagged", "unsure", "timed", "active_seconds"))


def get_scores(user: User) -> dict[str, int]:
    scores = ReviewCount.objects.by_score().filter(reviewer=user).exclude(reviews=0)
    return dict(scores.values_list("value", "reviews"))


@pytest.fixture
def undoable_queue(queue: Queue) -> Queue:
    queue.grace_seconds = 60
    queue.save()
    return queue


def test_it_counts_a_submitted_review(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0, active_seconds=12)
    assert get_counts(reviewer) == [(1, 1, 0, 1, 12)]
    assert get_scores(reviewer) == {"0.8": 1}
    assert ReviewCount.objects.by_day().get().value == clock.now().date().isoformat()


def test_it_counts_an_unsure_review_without_a_time(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, Answers(None, "Hm.", needs_review=False, is_unsure=True), version=0)
    assert get_counts(reviewer) == [(1, 0, 1, 0, 0)]
    assert get_scores(reviewer) == {}


def test_it_counts_a_revised_review_once(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0, active_seconds=12)
    submit(item, reviewer, BAD, version=1, active_seconds=5)
    assert get_counts(reviewer) == [(1, 0, 0, 1, 5)]
    assert get_scores(reviewer) == {"0": 1}


def test_it_counts_a_revision_for_whoever_made_it(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, colleague, BAD, version=1)
    assert (get_counts(reviewer), get_counts(colleague)) == ([], [(1, 0, 0, 0, 0)])


def test_it_counts_nothing_for_a_repeated_submit(item: QueueItem, reviewer: User) -> None:
    for _ in range(2):
        submit(item, reviewer, GOOD, version=0)
    assert get_counts(reviewer) == [(1, 1, 0, 0, 0)]


def test_it_subtracts_an_undone_review(undoable_queue: Queue, reviewer: User) -> None:
    item = QueueItemFactory.create(queue=undoable_queue)
    submit(item, reviewer, GOOD, version=0, active_seconds=12)
    undo(item, reviewer)
    assert (get_counts(reviewer), get_scores(reviewer)) == ([], {})


def test_it_counts_the_previous_revision_after_an_undo(undoable_queue: Queue, reviewer: User, colleague: User) -> None:
    item = QueueItemFactory.create(queue=undoable_queue)
    submit(item, reviewer, GOOD, version=0, active_seconds=12)
    submit(item, colleague, BAD, version=1)
    undo(QueueItem.objects.get(pk=item.pk), colleague)
    assert (get_counts(reviewer), get_counts(colleague)) == ([(1, 1, 0, 1, 12)], [])


def test_its_counters_are_what_a_recount_finds(undoable_queue: Queue, reviewer: User, colleague: User) -> None:
    items = QueueItemFactory.create_batch(3, queue=undoable_queue)
    for item in items:
        submit(item, reviewer, GOOD, version=0, active_seconds=3)
    submit(QueueItem.objects.get(pk=items[0].pk), colleague, BAD, version=1)
    undo(QueueItem.objects.get(pk=items[1].pk), reviewer)
    assert counting.recount(undoable_queue) == 0


def test_it_repairs_wrong_counters(queue: Queue, reviewer: User, colleague: User) -> None:
    ReviewFactory.create(item__queue=queue, reviewer=reviewer, active_seconds=7)
    ReviewFactory.create(item__queue=queue, reviewer=colleague)
    ReviewCount.objects.filter(reviewer=reviewer).update(reviews=9)
    ReviewCount.objects.create(queue=queue, reviewer=colleague, kind="day", value="2020-01-01", reviews=-1)

    assert counting.recount(queue) == 2
    assert (get_counts(reviewer), get_counts(colleague)) == ([(1, 0, 0, 1, 7)], [(1, 0, 0, 0, 0)])
    assert get_scores(reviewer) == {"1": 1}
    assert counting.recount(queue) == 0


def test_it_counts_queues_that_were_never_counted(queue: Queue, reviewer: User) -> None:
    ReviewFactory.create_batch(2, item__queue=queue, reviewer=reviewer)
    ReviewCount.objects.all().delete()
    Queue.objects.update(reviews_counted_at=None)
    assert counting.is_counting(queue.project)

    counting.recount_due()
    assert get_counts(reviewer) == [(2, 0, 0, 0, 0)]
    assert not counting.is_counting(queue.project)


def test_it_recounts_a_queue_once_a_day(queue: Queue, reviewer: User) -> None:
    ReviewFactory.create(item__queue=queue, reviewer=reviewer)
    ReviewCount.objects.by_day().update(reviews=5)
    counting.recount_due()
    assert get_counts(reviewer) == [(5, 0, 0, 0, 0)]

    Queue.objects.update(reviews_counted_at=clock.now() - counting.RECOUNT_INTERVAL * 2)
    counting.recount_due()
    assert get_counts(reviewer) == [(1, 0, 0, 0, 0)]


def test_it_needs_no_more_queries_for_more_reviews(queue: Queue, reviewer: User) -> None:
    ReviewFactory.create(item__queue=queue, reviewer=reviewer)
    query_count = count_queries(lambda: counting.recount(queue))
    ReviewFactory.create_batch(20, item__queue=queue, reviewer=reviewer, score=Decimal("0.5"))
    assert count_queries(lambda: counting.recount(queue)) == query_count


def test_it_counts_reviews_of_a_deactivated_person(queue: Queue) -> None:
    user = UserFactory.create(is_active=False)
    ReviewFactory.create(item__queue=queue, reviewer=user)
    ReviewCount.objects.all().delete()
    counting.recount(queue)
    assert get_counts(user) == [(1, 0, 0, 0, 0)]
    assert Review.objects.count() == 1
