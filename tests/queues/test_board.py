"""The board: a queue's items with their traces, and what stands in the way."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from reviewapp.accounts.models import Project, User
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.views.queues import PAGE_SIZE
from tests.factories import PatchFactory, QueueFactory, QueueItemFactory, TraceFactory
from tests.queries import count_queries

URL = "/p/support/queues/answers/"


def board(client: Client, **query: str | int) -> str:
    response = client.get(URL, query)
    assert response.status_code == 200
    return response.content.decode()


def test_it_shows_an_item_with_its_trace(item: QueueItem, reviewer_client: Client) -> None:
    TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, name="answer <b>a question</b>")
    QueueItem.objects.update(reference="order 17", reason="a complaint")
    shown = board(reviewer_client)

    assert "answer &lt;b&gt;a question" in shown
    assert "order 17" in shown
    assert "a complaint" in shown
    assert "not here yet" not in shown


def test_it_says_that_a_trace_has_not_come(item: QueueItem, reviewer_client: Client) -> None:
    assert "not here yet" in board(reviewer_client)


def test_it_says_that_it_is_empty(queue: Queue, reviewer_client: Client, lead_client: Client) -> None:
    assert "The queue is empty. A lead fills it." in board(reviewer_client)
    assert "The queue is empty. Paste trace ids below" in board(lead_client)


def test_it_counts_by_state(queue: Queue, reviewer_client: Client) -> None:
    for state, count in ((ItemState.PENDING, 3), (ItemState.COMPLETED, 2), (ItemState.SKIPPED, 1)):
        QueueItemFactory.create_batch(count, queue=queue, state=state)

    assert "2 reviewed, 3 pending, 1 skipped." in board(reviewer_client)


def test_it_narrows_to_a_state(queue: Queue, reviewer_client: Client) -> None:
    QueueItemFactory.create(queue=queue, reference="still pending")
    QueueItemFactory.create(queue=queue, reference="left out", state=ItemState.SKIPPED)
    shown = board(reviewer_client, state="skipped")

    assert "left out" in shown
    assert "still pending" not in shown


def test_it_takes_an_unknown_state_for_none(queue: Queue, reviewer_client: Client) -> None:
    shown = board(reviewer_client, state="lost&found")

    assert "lost" not in shown
    assert "The queue is empty." in shown


def test_it_turns_pages(queue: Queue, reviewer_client: Client) -> None:
    for number in range(PAGE_SIZE + 1):
        QueueItemFactory.create(queue=queue, reference=f"number-{number}-")
    first, second = board(reviewer_client, state="pending"), board(reviewer_client, state="pending", page=2)

    assert f'href="{URL}?state=pending&amp;page=2"' in first
    assert (f"number-{PAGE_SIZE}-" in first, f"number-{PAGE_SIZE}-" in second, "number-0-" in second) == (
        False,
        True,
        False,
    )
    assert f'href="{URL}?state=pending&amp;page=1"' in second


def test_it_says_who_holds_an_item(item: QueueItem, reviewer: User, colleague_client: Client) -> None:
    claiming.claim(item, reviewer)
    assert ">reviewer</td>" in board(colleague_client)

    QueueItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert ">reviewer</td>" not in board(colleague_client)


def test_it_offers_the_form_to_leads_only(queue: Queue, reviewer_client: Client, lead_client: Client) -> None:
    assert 'name="ids"' not in board(reviewer_client)
    assert 'name="ids"' in board(lead_client)


def test_it_shows_another_project_nothing(item: QueueItem, outsider_client: Client) -> None:
    QueueFactory.create(project=Project.objects.get(slug="elsewhere"), slug="answers")
    shown = outsider_client.get("/p/elsewhere/queues/answers/").content.decode()

    assert "The queue is empty." in shown


def test_it_asks_the_database_as_often_for_many(queue: Queue, reviewer_client: Client) -> None:
    def more(count: int) -> None:
        for item in QueueItemFactory.create_batch(count, queue=queue):
            TraceFactory.create(project=queue.project, trace_id=item.trace_id)

    more(2)
    few = count_queries(lambda: board(reviewer_client))
    more(30)

    assert count_queries(lambda: board(reviewer_client)) == few


class TestClash:
    """A key of the queue that the application itself sets on its traces."""

    @pytest.fixture
    def held(self, queue: Queue, item: QueueItem) -> Any:
        return lambda metadata, **where: TraceFactory.create(
            **{"project": queue.project, "trace_id": item.trace_id, "metadata": metadata, **where}
        )

    def test_it_is_told(self, held: Any, lead_client: Client) -> None:
        held('{"score":0.7,"notes":"x","customer":"acme"}')
        shown = board(lead_client)

        assert "the application itself sets <code>notes</code>, <code>score</code>" in shown

    def test_it_is_not_told_of_other_keys(self, held: Any, lead_client: Client) -> None:
        held('{"customer":"acme"}')

        assert "the application itself" not in board(lead_client)

    def test_it_is_not_told_of_our_own_values(self, held: Any, queue: Queue, lead_client: Client) -> None:
        trace = held('{"score":1}')
        PatchFactory.create(project=queue.project, trace_id=trace.trace_id)

        assert "the application itself" not in board(lead_client)

    def test_it_is_not_told_of_a_key_that_stays_here(self, held: Any, queue: Queue, lead_client: Client) -> None:
        held('{"notes":"x"}')
        Queue.objects.update(keeps_notes_here=True)

        assert "the application itself" not in board(lead_client)

    def test_it_is_not_told_of_other_traces(self, held: Any, lead_client: Client) -> None:
        held('{"score":1}', trace_id="0" * 31 + "1")

        assert "the application itself" not in board(lead_client)

    def test_it_heeds_the_prefix(self, held: Any, lead_client: Client) -> None:
        held('{"score":1,"review.notes":"x"}')
        Queue.objects.update(key_prefix="review.")

        assert "itself sets <code>review.notes</code> on" in board(lead_client)


def test_it_tells_a_lead_of_another_queue_with_the_same_keys(queue: Queue, lead_client: Client) -> None:
    QueueFactory.create(project=queue.project, name="Second look")
    assert "the queue “Second look” writes" in lead_client.get(URL).text


def test_it_tells_of_no_queue_with_keys_of_its_own(queue: Queue, lead_client: Client) -> None:
    QueueFactory.create(project=queue.project, name="Second look", key_prefix="second.")
    assert "writes" not in lead_client.get(URL).text
