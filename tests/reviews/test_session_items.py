"""Items of sessions in the workbench: the newest trace is shown, and a review goes to the trace that was read."""

from datetime import timedelta

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Patch
from reviewapp.lib import clock
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem, Unit
from reviewapp.reviews.models import Review
from reviewapp.traces.models import Trace
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory

HTMX = {"HX-Request": "true"}


@pytest.fixture
def queue(project: Project) -> Queue:
    return QueueFactory.create(project=project, slug="answers", name="Answers", unit=Unit.SESSIONS)


@pytest.fixture
def turns(project: Project) -> list[Trace]:
    """Three traces of a session, oldest first."""
    return [add_turn(project, minutes) for minutes in (3, 2, 1)]


@pytest.fixture
def item(queue: Queue, turns: list[Trace]) -> QueueItem:
    return QueueItemFactory.create(queue=queue, trace_id=turns[0].trace_id)


def add_turn(project: Project, minutes_ago: int) -> Trace:
    start = clock.now() - timedelta(minutes=minutes_ago)
    return TraceFactory.create(project=project, session_id="s1", start_time=start)


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def test_it_shows_the_newest_trace(item: QueueItem, turns: list[Trace], reviewer_client: Client) -> None:
    page = " ".join(reviewer_client.get(url(item)).text.split())
    assert "answer once for the whole conversation" in page
    assert "Trace 3 of 3 in its session" in page
    assert f'name="trace" value="{turns[2].trace_id}"' in page


def test_it_opens_the_next_item_at_its_newest_trace(item: QueueItem, queue: Queue, reviewer_client: Client) -> None:
    first = QueueItemFactory.create(queue=queue, priority=1)
    page = reviewer_client.post(url(first), {"score": "1", "version": "0"}, headers=HTMX).text
    assert "Trace 3 of 3 in its session" in " ".join(page.split())


def test_it_pushes_to_the_last_trace(item: QueueItem, turns: list[Trace], reviewer_client: Client) -> None:
    reviewer_client.get(url(item))
    reviewer_client.post(url(item), {"score": "1", "version": "0", "trace": str(turns[2].trace_id)})
    assert Patch.objects.get(reviews__isnull=False).trace_id == turns[2].trace_id
    assert Patch.objects.count() == 1


def test_it_keeps_the_answers_when_a_newer_trace_arrived_meanwhile(
    item: QueueItem, turns: list[Trace], project: Project, reviewer_client: Client
) -> None:
    reviewer_client.get(url(item))
    newest = add_turn(project, 0)
    reviewer_client.get(url(item))
    form_data = {"score": "1", "notes": "typed", "version": "0", "trace": str(turns[2].trace_id)}
    response = reviewer_client.post(url(item), form_data)
    assert response.status_code == 409
    assert "A newer trace of this session arrived" in response.text
    assert "typed</textarea>" in response.text
    assert f'name="trace" value="{newest.trace_id}"' in response.text
    assert not Review.objects.exists()
    reviewer_client.post(url(item), {**form_data, "trace": str(newest.trace_id)})
    assert Patch.objects.get(reviews__isnull=False).trace_id == newest.trace_id


@pytest.mark.parametrize("trace", ["", "x", "\x00", "9" * 500])
def test_it_refuses_a_trace_that_no_form_sends(item: QueueItem, reviewer_client: Client, trace: str) -> None:
    response = reviewer_client.post(url(item), {"score": "1", "version": "0", "trace": trace})
    assert response.status_code == 409
    assert not Review.objects.exists()


def test_it_stays_at_the_answered_trace(
    item: QueueItem, turns: list[Trace], project: Project, reviewer_client: Client
) -> None:
    reviewer_client.get(url(item))
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    add_turn(project, 0)
    page = reviewer_client.get(url(item)).text
    assert "Trace 3 of 4 in its session" in " ".join(page.split())
    assert QueueItem.objects.get().trace_id == turns[2].trace_id


def test_it_refuses_a_submit_when_the_item_moves_at_that_moment(item: QueueItem, turns: list[Trace]) -> None:
    QueueItem.objects.update(trace_id=turns[1].trace_id)
    assert not claiming.complete(item, 0)
    assert QueueItem.objects.get().state == ItemState.PENDING


def test_it_does_not_move_while_a_colleague_reads(
    item: QueueItem, turns: list[Trace], colleague: User, reviewer_client: Client
) -> None:
    QueueItem.objects.update(claimed_by=colleague, claimed_until=clock.now() + timedelta(minutes=1))
    reviewer_client.get(url(item))
    assert QueueItem.objects.get().trace_id == turns[0].trace_id
