"""Undo: everything is restored while the review waits to be pushed, and nothing afterwards."""

from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.audit.verification import find_first_broken
from reviewapp.delivery import leasing, outbox
from reviewapp.delivery.models import Patch, State
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
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


def test_it_makes_the_item_pending_and_claimed_again(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    item.refresh_from_db()
    assert (item.state, item.claimed_by, item.version) == (ItemState.PENDING, reviewer, 2)


def test_it_pushes_nothing(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    assert Patch.objects.get().state == State.SUPERSEDED
    assert leasing.lease(5) == []


def test_it_restores_the_mirror(item: QueueItem, reviewer: User, trace: Trace) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    trace.refresh_from_db()
    assert trace.metadata == '{"region":"us","score":"own"}'
    assert (trace.unconfirmed, trace.review_count) == ("{}", 0)
    assert find_traces(item, "score", "own") == [trace.pk]
    assert find_traces(item, "needs_review", "true") == []


def test_it_makes_the_previous_revision_the_latest(item: QueueItem, reviewer: User, trace: Trace) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=1)
    undo(item, reviewer)
    item.refresh_from_db()
    assert item.state == ItemState.COMPLETED
    assert Review.objects.get(is_latest=True).notes == "Right."
    assert Patch.objects.get(state=State.WAITING).values["score"] == 0.8
    assert find_traces(item, "score", "0.8") == [trace.pk]


def test_it_still_pushes_the_review_of_another_queue(item: QueueItem, reviewer: User) -> None:
    other: Queue = QueueFactory.create(project=item.queue.project, key_prefix="other.")
    submit(QueueItemFactory.create(queue=other, trace_id=item.trace_id), reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=0)
    undo(item, reviewer)
    assert set(Patch.objects.get(state=State.WAITING).values) == {
        f"other.{key}" for key in QueueFactory.build().builtin_keys
    }


def test_it_refuses_when_the_push_has_started(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    leasing.lease(1)
    with pytest.raises(CannotUndoError):
        undo(item, reviewer)
    item.refresh_from_db()
    assert (item.state, item.version) == (ItemState.COMPLETED, 1)


def test_it_refuses_the_review_of_a_colleague(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    with pytest.raises(CannotUndoError):
        undo(item, colleague)


def test_it_refuses_to_undo_twice(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    with pytest.raises(CannotUndoError):
        undo(item, reviewer)


def test_it_keeps_the_audit_chain_intact(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    assert find_first_broken(item.queue.project) is None


def test_it_opens_the_form_with_the_undone_answers(reviewer_client: Client, item: QueueItem) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.post(url, {"score": "0.8", "notes": "Right.", "version": "0"})
    page = reviewer_client.post(f"{url}undo/", follow=True).text
    assert "Right.</textarea>" in page
    assert 'name="version" value="2"' in page
    assert reviewer_client.post(url, {"score": "0.9", "version": "2"}).status_code == 302


def test_it_ends_at_the_url_of_the_item(reviewer_client: Client, item: QueueItem) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.post(url, {"score": "0.8", "version": "0"})
    assert reviewer_client.post(f"{url}undo/", headers={"HX-Request": "true"})["HX-Push-Url"] == url
    reviewer_client.post(url, {"score": "0.8", "version": "2"})
    assert reviewer_client.post(f"{url}undo/")["Location"] == url


def test_it_shows_an_undone_item_as_not_reviewed(reviewer_client: Client, item: QueueItem) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.post(url, {"score": "0.8", "version": "0"})
    assert "Submit new revision" in reviewer_client.get(url).text
    page = reviewer_client.post(f"{url}undo/", follow=True).text
    assert "Not reviewed yet" in page
    assert "Submit and next" in page


def test_it_refuses_when_it_is_too_late(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"/p/support/items/{item.pk}/undo/", follow=True)
    assert "It is too late to undo" in response.text


def test_it_offers_undo_while_the_review_waits(reviewer_client: Client, item: QueueItem) -> None:
    Queue.objects.update(grace_seconds=60)
    reviewer_client.post(f"/p/support/items/{item.pk}/", {"score": "0.8", "version": "0"})
    last_item_url = f"/p/support/items/{item.pk}/left/"
    assert 'id="undo"' in reviewer_client.get(last_item_url).text
    outbox.retry(item.queue.project, [Patch.objects.get().pk], "a test")
    assert 'id="undo"' not in reviewer_client.get(last_item_url).text


def test_it_refuses_when_a_dead_worker_may_have_sent_the_review(reviewer_client: Client, item: QueueItem) -> None:
    Queue.objects.update(grace_seconds=60)
    reviewer_client.post(f"/p/support/items/{item.pk}/", {"score": "0.8", "version": "0"})
    Patch.objects.update(lease=1)
    assert 'id="undo"' not in reviewer_client.get(f"/p/support/items/{item.pk}/left/").text
    assert "too late" in reviewer_client.post(f"/p/support/items/{item.pk}/undo/", follow=True).text


def test_it_offers_undo_at_the_end_of_the_queue(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"/p/support/items/{item.pk}/", {"score": "0.8", "version": "0"})
    assert response["Location"] == f"/p/support/queues/answers/end/?after={item.pk}"
    assert f"/p/support/items/{item.pk}/left/" in reviewer_client.get(response["Location"]).text


@pytest.mark.parametrize(
    ("target", "label"), [("later", "skipped for later"), ("other", "left for someone else"), ("nobody", "skipped")]
)
def test_it_undoes_a_skip(reviewer_client: Client, reviewer: User, item: QueueItem, target: str, label: str) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.post(f"{url}skip/", {"for": target})
    last_item = reviewer_client.get(f"{url}left/").text
    assert f">{label}</span>" in last_item
    assert 'id="undo"' in last_item
    reviewer_client.post(f"{url}undo/")
    item.refresh_from_db()
    assert (item.state, item.claimed_by) == (ItemState.PENDING, reviewer)
    assert not Skip.objects.exists()


def test_it_refuses_to_undo_a_skip_when_a_colleague_has_the_item(
    reviewer_client: Client, item: QueueItem, colleague: User
) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.post(f"{url}skip/", {"for": "other"})
    claiming.claim(item, colleague)
    assert 'id="undo"' not in reviewer_client.get(f"{url}left/").text
    response = reviewer_client.post(f"{url}undo/", headers={"HX-Request": "true"})
    assert (response.status_code, QueueItem.objects.get().claimed_by) == (409, colleague)


def find_traces(item: QueueItem, key: str, value: str) -> list[int]:
    return list(matching(item.queue.project, [(key, value)]).values_list("trace", flat=True))
