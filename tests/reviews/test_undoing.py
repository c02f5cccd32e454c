"""Undo: while a review waits, everything goes back to what it was; afterwards nothing does."""

from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.audit.recording import find_first_broken
from reviewapp.delivery import leasing, outbox
from reviewapp.delivery.models import Patch, State
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from reviewapp.reviews.models import Review
from reviewapp.reviews.submitting import Answers, submit
from reviewapp.reviews.undoing import CannotUndoError, undo
from reviewapp.traces.metadata.index import matching
from reviewapp.traces.models import Trace
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory

GOOD = Answers(Decimal("0.8"), "Right.", needs_review=True)
BAD = Answers(Decimal(0), "Wrong.", needs_review=False)


@pytest.fixture
def trace(item: QueueItem) -> Trace:
    return TraceFactory.create(
        project=item.queue.project, trace_id=item.trace_id, metadata='{"region":"us","score":"own"}'
    )


def test_it_makes_the_item_pending_and_ones_own_again(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    item.refresh_from_db()
    assert (item.state, item.claimed_by, item.version) == (ItemState.PENDING, reviewer, 2)


def test_it_pushes_nothing(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    assert Patch.objects.get().state == State.SUPERSEDED
    assert leasing.lease(5) == []


def test_it_puts_the_mirror_back(item: QueueItem, reviewer: User, trace: Trace) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    trace.refresh_from_db()
    assert trace.metadata == '{"region":"us","score":"own"}'
    assert (trace.unconfirmed, trace.review_count) == ("{}", 0)
    assert found(item, "score", "own") == [trace.pk]
    assert found(item, "needs_review", "true") == []


def test_the_revision_before_stands_again(item: QueueItem, reviewer: User, trace: Trace) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=1)
    undo(item, reviewer)
    item.refresh_from_db()
    assert item.state == ItemState.COMPLETED
    assert Review.objects.get(is_latest=True).notes == "Right."
    assert Patch.objects.get(state=State.WAITING).values["score"] == 0.8
    assert found(item, "score", "0.8") == [trace.pk]


def test_what_another_queue_said_of_the_trace_is_still_sent(item: QueueItem, reviewer: User) -> None:
    other: Queue = QueueFactory.create(project=item.queue.project, key_prefix="other.")
    submit(QueueItemFactory.create(queue=other, trace_id=item.trace_id), reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=0)
    undo(item, reviewer)
    assert set(Patch.objects.get(state=State.WAITING).values) == {
        f"other.{key}" for key in QueueFactory.build().builtin_keys
    }


def test_it_refuses_once_the_push_was_begun(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    leasing.lease(1)
    with pytest.raises(CannotUndoError):
        undo(item, reviewer)
    item.refresh_from_db()
    assert (item.state, item.version) == (ItemState.COMPLETED, 1)


def test_it_refuses_somebody_elses_review(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    with pytest.raises(CannotUndoError):
        undo(item, colleague)


def test_it_refuses_to_undo_twice(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    with pytest.raises(CannotUndoError):
        undo(item, reviewer)


def test_it_is_recorded(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    assert find_first_broken(item.queue.project) is None


def test_it_opens_the_form_as_it_was(reviewer_client: Client, item: QueueItem) -> None:
    where = f"/p/support/items/{item.pk}/"
    reviewer_client.post(where, {"score": "0.8", "notes": "Right.", "version": "0"})
    page = reviewer_client.post(f"{where}undo/", follow=True).content.decode()
    assert "Right.</textarea>" in page
    assert 'name="version" value="2"' in page
    assert reviewer_client.post(where, {"score": "0.9", "version": "2"}).status_code == 302


def test_it_ends_at_the_items_own_address(reviewer_client: Client, item: QueueItem) -> None:
    where = f"/p/support/items/{item.pk}/"
    reviewer_client.post(where, {"score": "0.8", "version": "0"})
    assert reviewer_client.post(f"{where}undo/", headers={"HX-Request": "true"})["HX-Push-Url"] == where
    reviewer_client.post(where, {"score": "0.8", "version": "2"})
    assert reviewer_client.post(f"{where}undo/")["Location"] == where


def test_it_asks_for_no_new_revision_of_what_was_undone(reviewer_client: Client, item: QueueItem) -> None:
    where = f"/p/support/items/{item.pk}/"
    reviewer_client.post(where, {"score": "0.8", "version": "0"})
    assert "Submit a new revision" in reviewer_client.get(where).content.decode()
    page = reviewer_client.post(f"{where}undo/", follow=True).content.decode()
    assert "Not reviewed yet" in page
    assert "Submit and next" in page


def test_it_says_that_it_is_too_late(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(f"/p/support/items/{item.pk}/undo/", follow=True)
    assert "It is too late to undo" in answer.content.decode()


def test_it_offers_to_undo_while_it_can(reviewer_client: Client, item: QueueItem) -> None:
    Queue.objects.update(grace_seconds=60)
    reviewer_client.post(f"/p/support/items/{item.pk}/", {"score": "0.8", "version": "0"})
    left = f"/p/support/items/{item.pk}/left/"
    assert 'id="undo"' in reviewer_client.get(left).content.decode()
    outbox.retry(item.queue.project, [Patch.objects.get().pk], "a test")
    assert 'id="undo"' not in reviewer_client.get(left).content.decode()


def test_it_offers_no_undo_of_what_a_worker_that_died_may_have_sent(reviewer_client: Client, item: QueueItem) -> None:
    Queue.objects.update(grace_seconds=60)
    reviewer_client.post(f"/p/support/items/{item.pk}/", {"score": "0.8", "version": "0"})
    Patch.objects.update(lease=1)
    assert 'id="undo"' not in reviewer_client.get(f"/p/support/items/{item.pk}/left/").content.decode()
    assert "too late" in reviewer_client.post(f"/p/support/items/{item.pk}/undo/", follow=True).content.decode()


def test_it_is_offered_at_the_end(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(f"/p/support/items/{item.pk}/", {"score": "0.8", "version": "0"})
    assert answer["Location"] == f"/p/support/queues/answers/end/?after={item.pk}"
    assert f"/p/support/items/{item.pk}/left/" in reviewer_client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(
    ("whom", "words"), [("later", "postponed"), ("other", "left to someone else"), ("nobody", "skipped")]
)
def test_it_takes_a_skip_back(reviewer_client: Client, reviewer: User, item: QueueItem, whom: str, words: str) -> None:
    where = f"/p/support/items/{item.pk}/"
    reviewer_client.post(f"{where}skip/", {"for": whom})
    left = reviewer_client.get(f"{where}left/").content.decode()
    assert f">{words}</span>" in left
    assert 'id="undo"' in left
    reviewer_client.post(f"{where}undo/")
    item.refresh_from_db()
    assert (item.state, item.claimed_by) == (ItemState.PENDING, reviewer)
    assert not Skip.objects.exists()


def test_it_takes_no_skip_back_that_a_colleague_went_on_with(
    reviewer_client: Client, item: QueueItem, colleague: User
) -> None:
    where = f"/p/support/items/{item.pk}/"
    reviewer_client.post(f"{where}skip/", {"for": "other"})
    claiming.claim(item, colleague)
    assert 'id="undo"' not in reviewer_client.get(f"{where}left/").content.decode()
    answer = reviewer_client.post(f"{where}undo/", headers={"HX-Request": "true"})
    assert (answer.status_code, QueueItem.objects.get().claimed_by) == (409, colleague)


def found(item: QueueItem, key: str, value: str) -> list[int]:
    return list(matching(item.queue.project, [(key, value)]).values_list("trace", flat=True))
