"""A person's own work in a queue, as the end of the queue and “My reviews” show it."""

from datetime import UTC, datetime, timedelta

from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.queues import skipping
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review
from reviewapp.reviews.own_work import load_own_work
from tests.factories import QueueItemFactory, ReviewFactory

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_it_sums_up_pace_and_spread_without_breaks(queue: Queue, reviewer: User) -> None:
    for seconds, score in ((0, 1), (20, 1), (60, None), (100, 0), (7_200, 1)):
        review = ReviewFactory.create(item__queue=queue, reviewer=reviewer, score=score)
        Review.objects.filter(pk=review.pk).update(submitted_at=START + timedelta(seconds=seconds))
    work = load_own_work(queue, reviewer)

    assert work.pace == 40
    assert [(share.label, share.count, share.percent) for share in work.scores] == [
        ("0", 1, 20), ("1", 3, 60), ("no score", 1, 20),
    ]  # fmt: skip


def test_it_knows_no_pace_after_one_review(queue: Queue, reviewer: User) -> None:
    ReviewFactory.create(item__queue=queue, reviewer=reviewer)
    assert load_own_work(queue, reviewer).pace is None


def test_it_lists_items_for_later_and_own_drafts(
    reviewer_client: Client, colleague_client: Client, reviewer: User, queue: Queue
) -> None:
    postponed, begun, theirs = QueueItemFactory.create_batch(3, queue=queue)
    skipping.skip(postponed, reviewer, "later", "needs an hour")
    for client, item in ((reviewer_client, begun), (colleague_client, theirs)):
        client.post(f"/p/support/items/{item.pk}/draft/", {"notes": "half", "version": "0"})
    end = reviewer_client.get("/p/support/queues/answers/end/").text
    mine = reviewer_client.get("/p/support/queues/answers/mine/").text

    assert "needs an hour" in end
    for page in (end, mine):
        assert f"/p/support/items/{begun.pk}/" in page
        assert f"/p/support/items/{theirs.pk}/" not in page
