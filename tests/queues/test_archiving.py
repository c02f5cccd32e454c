"""Archived queues: left out of lists, not filled, restored at any time."""

from uuid import uuid4

from django.test import Client

from reviewapp.queues.models import Queue, QueueItem
from tests.factories import RuleFactory
from tests.queues.test_rules import apply_rules, create_traces

LIST = "/p/support/queues/"


def archive(client: Client, queue: Queue, **form_data: str) -> None:
    assert client.post(f"{LIST}{queue.slug}/archive/", form_data).status_code == 302


def test_it_leaves_an_archived_queue_out_of_lists(lead_client: Client, queue: Queue) -> None:
    archive(lead_client, queue)
    assert queue.name not in lead_client.get(LIST).text.split("<h1>")[1]
    assert queue.name in lead_client.get(f"{LIST}?archived").text


def test_it_restores_a_queue(lead_client: Client, queue: Queue) -> None:
    archive(lead_client, queue)
    archive(lead_client, queue, restore="yes")
    assert Queue.objects.get().archived_at is None


def test_it_stops_the_rules_of_an_archived_queue(lead_client: Client, queue: Queue) -> None:
    RuleFactory.create(queue=queue)
    archive(lead_client, queue)
    create_traces(queue, 1)
    assert apply_rules(queue) == set()


def test_it_adds_nothing_that_is_pasted(lead_client: Client, queue: Queue) -> None:
    archive(lead_client, queue)
    trace_id = str(uuid4())
    response = lead_client.post(f"{LIST}{queue.slug}/add/", {"ids": trace_id})
    assert response.status_code == 422
    assert "This queue is archived." in response.text
    assert trace_id in response.text
    assert not QueueItem.objects.exists()
