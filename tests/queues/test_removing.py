"""Remove a trace from a queue permanently."""

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.queues import claiming
from reviewapp.queues.models import Queue, QueueItem, Removal
from tests.factories import QueueItemFactory

BOARD = "/p/support/queues/answers/"


@pytest.fixture
def url(item: QueueItem) -> str:
    return f"{BOARD}items/{item.pk}/remove/"


def test_it_asks_for_confirmation(url: str, lead_client: Client, reviewer_client: Client) -> None:
    assert url in lead_client.get(BOARD).text
    assert url not in reviewer_client.get(BOARD).text
    assert "Remove this trace from Answers?" in lead_client.get(url).text
    assert QueueItem.objects.exists()


def test_it_removes_an_item(url: str, item: QueueItem, lead_client: Client) -> None:
    lead_client.post(url)
    removal = Removal.objects.get()

    assert not QueueItem.objects.exists()
    assert (removal.queue, removal.trace_id, removal.by) == (item.queue, item.trace_id, "lead")
    assert AuditEvent.objects.get().verb == "removed item"


def test_it_refuses_a_reviewed_item(url: str, lead_client: Client) -> None:
    QueueItem.objects.update(version=1)
    response = lead_client.post(url)

    assert response.status_code == 409
    assert "Not removed." in response.text
    assert (QueueItem.objects.count(), Removal.objects.count()) == (1, 0)
    assert url not in lead_client.get(BOARD).text


def test_it_refuses_an_item_claimed_by_a_colleague(
    url: str, item: QueueItem, reviewer: User, lead_client: Client
) -> None:
    claiming.claim(item, reviewer)

    assert lead_client.post(url).status_code == 409
    assert QueueItem.objects.exists()


def test_it_adds_a_removed_trace_again_when_pasted(url: str, item: QueueItem, lead_client: Client) -> None:
    lead_client.post(url)
    response = lead_client.post(f"{BOARD}add/", {"ids": str(item.trace_id)}, follow=True)

    assert "1 trace added. 1 of these had been removed from this queue before." in response.text
    assert not Removal.objects.exists()


def test_it_refuses_an_item_of_another_queue(queue: Queue, lead_client: Client) -> None:
    other_pk: int = QueueItemFactory.create(queue__project=queue.project).pk

    assert lead_client.post(f"{BOARD}items/{other_pk}/remove/").status_code == 404
    assert QueueItem.objects.exists()
