"""The board: a queue's items with their traces, and warnings about key conflicts."""

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
NOT_LOADED = "not pulled yet"


def open_board(client: Client, **query: str | int) -> Any:
    response = client.get(URL, query)
    assert response.status_code == 200
    return response


def test_it_shows_an_item_with_its_trace(item: QueueItem, reviewer_client: Client) -> None:
    TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, name="answer <b>a question</b>")
    QueueItem.objects.update(reference="order 17", reason="a complaint")
    page = open_board(reviewer_client).text

    assert "answer &lt;b&gt;a question" in page
    assert "order 17" in page
    assert "a complaint" in page
    assert NOT_LOADED not in page


def test_it_shows_that_a_trace_is_not_loaded(item: QueueItem, reviewer_client: Client) -> None:
    assert NOT_LOADED in open_board(reviewer_client).text


def test_it_shows_that_it_is_empty(queue: Queue, reviewer_client: Client, lead_client: Client) -> None:
    assert "The queue is empty. A lead can add traces." in open_board(reviewer_client).text
    assert "The queue is empty. Paste trace ids below" in open_board(lead_client).text


def test_it_counts_by_state(queue: Queue, reviewer_client: Client) -> None:
    for state, count in ((ItemState.PENDING, 3), (ItemState.COMPLETED, 2), (ItemState.SKIPPED, 1)):
        QueueItemFactory.create_batch(count, queue=queue, state=state)

    assert "2 reviewed, 3 pending, 1 skipped." in open_board(reviewer_client).text


def test_it_filters_by_state(queue: Queue, reviewer_client: Client) -> None:
    QueueItemFactory.create(queue=queue, reference="still pending")
    QueueItemFactory.create(queue=queue, reference="left out", state=ItemState.SKIPPED)
    page = open_board(reviewer_client, state="skipped").text

    assert "left out" in page
    assert "still pending" not in page


def test_it_ignores_an_unknown_state(queue: Queue, reviewer_client: Client) -> None:
    response = open_board(reviewer_client, state="lost&found")

    assert "lost" not in response.text
    assert response.context["state"] == ""
    assert "The queue is empty." in response.text


def test_it_links_to_the_next_and_the_previous_page(queue: Queue, reviewer_client: Client) -> None:
    for number in range(PAGE_SIZE + 1):
        QueueItemFactory.create(queue=queue, reference=f"number-{number}-")
    first = open_board(reviewer_client, state="pending").text
    second = open_board(reviewer_client, state="pending", page=2).text

    assert f'href="{URL}?state=pending&amp;page=2"' in first
    assert (f"number-{PAGE_SIZE}-" in first, f"number-{PAGE_SIZE}-" in second, "number-0-" in second) == (
        False,
        True,
        False,
    )
    assert f'href="{URL}?state=pending&amp;page=1"' in second


def test_it_shows_who_has_claimed_an_item(item: QueueItem, reviewer: User, colleague_client: Client) -> None:
    claiming.claim(item, reviewer)
    assert ">reviewer</td>" in open_board(colleague_client).text

    QueueItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert ">reviewer</td>" not in open_board(colleague_client).text


def test_it_shows_the_form_to_leads_only(queue: Queue, reviewer_client: Client, lead_client: Client) -> None:
    assert 'name="ids"' not in open_board(reviewer_client).text
    assert 'name="ids"' in open_board(lead_client).text


def test_it_hides_items_from_another_project(item: QueueItem, outsider_client: Client) -> None:
    QueueFactory.create(project=Project.objects.get(slug="elsewhere"), slug="answers")
    response = outsider_client.get("/p/elsewhere/queues/answers/")

    assert response.context["rows"] == []
    assert "The queue is empty." in response.text


def test_it_needs_no_more_queries_for_many_items(queue: Queue, reviewer_client: Client) -> None:
    def add_items(count: int) -> None:
        for item in QueueItemFactory.create_batch(count, queue=queue):
            TraceFactory.create(project=queue.project, trace_id=item.trace_id)

    add_items(2)
    query_count = count_queries(lambda: open_board(reviewer_client))
    add_items(30)

    assert count_queries(lambda: open_board(reviewer_client)) == query_count


class TestApplicationKeys:
    """A warning about keys of the queue that the application itself sets on its traces."""

    @pytest.fixture
    def add_trace(self, queue: Queue, item: QueueItem) -> Any:
        return lambda metadata, **fields: TraceFactory.create(
            **{"project": queue.project, "trace_id": item.trace_id, "metadata": metadata, **fields}
        )

    def test_it_warns(self, add_trace: Any, lead_client: Client) -> None:
        add_trace('{"score":0.7,"notes":"x","customer":"acme"}')
        response = open_board(lead_client)

        assert response.context["application_keys"] == ["notes", "score"]
        assert response.text.count("Key conflict:") == 1
        assert "<code>notes</code>, <code>score</code>" in response.text

    def test_it_ignores_other_keys(self, add_trace: Any, lead_client: Client) -> None:
        add_trace('{"customer":"acme"}')

        assert_no_conflict(open_board(lead_client))

    def test_it_ignores_pushed_values(self, add_trace: Any, queue: Queue, lead_client: Client) -> None:
        trace = add_trace('{"score":1}')
        PatchFactory.create(project=queue.project, trace_id=trace.trace_id)

        assert_no_conflict(open_board(lead_client))

    def test_it_ignores_a_key_that_is_not_pushed(self, add_trace: Any, queue: Queue, lead_client: Client) -> None:
        add_trace('{"notes":"x"}')
        Queue.objects.update(keeps_notes_here=True)

        assert_no_conflict(open_board(lead_client))

    def test_it_ignores_traces_outside_the_queue(self, add_trace: Any, lead_client: Client) -> None:
        add_trace('{"score":1}', trace_id="0" * 31 + "1")

        assert_no_conflict(open_board(lead_client))

    def test_it_respects_the_prefix(self, add_trace: Any, lead_client: Client) -> None:
        add_trace('{"score":1,"review.notes":"x"}')
        Queue.objects.update(key_prefix="review.")

        assert open_board(lead_client).context["application_keys"] == ["review.notes"]


def test_it_warns_of_another_queue_with_the_same_keys(queue: Queue, lead_client: Client) -> None:
    other = QueueFactory.create(project=queue.project, name="Second look")
    response = open_board(lead_client)

    assert response.context["shared_keys"] == [(other, queue.pushed_keys)]
    assert "the queue “Second look” also writes" in response.text


def test_it_does_not_warn_of_a_queue_with_its_own_keys(queue: Queue, lead_client: Client) -> None:
    QueueFactory.create(project=queue.project, name="Second look", key_prefix="second.")

    assert_no_conflict(open_board(lead_client))


def assert_no_conflict(response: Any) -> None:
    assert (response.context["application_keys"], response.context["shared_keys"]) == ([], [])
    assert "Key conflict:" not in response.text
