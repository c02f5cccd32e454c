"""Taking a trace out of a queue for good."""

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


def test_it_asks_first(url: str, lead_client: Client, reviewer_client: Client) -> None:
    assert url in lead_client.get(BOARD).content.decode()
    assert url not in reviewer_client.get(BOARD).content.decode()
    assert "Remove this trace from Answers?" in lead_client.get(url).content.decode()
    assert QueueItem.objects.exists()


def test_it_removes_an_item(url: str, item: QueueItem, lead_client: Client) -> None:
    lead_client.post(url)
    removal = Removal.objects.get()

    assert not QueueItem.objects.exists()
    assert (removal.queue, removal.trace_id, removal.by) == (item.queue, item.trace_id, "lead")
    assert AuditEvent.objects.get().verb == "removed item"


def test_it_leaves_what_was_reviewed(url: str, lead_client: Client) -> None:
    QueueItem.objects.update(version=1)
    response = lead_client.post(url)

    assert response.status_code == 409
    assert "Nothing was removed" in response.content.decode()
    assert (QueueItem.objects.count(), Removal.objects.count()) == (1, 0)
    assert url not in lead_client.get(BOARD).content.decode()


def test_it_leaves_what_a_colleague_holds(url: str, item: QueueItem, reviewer: User, lead_client: Client) -> None:
    claiming.claim(item, reviewer)

    assert lead_client.post(url).status_code == 409
    assert QueueItem.objects.exists()


def test_a_paste_brings_it_back(url: str, item: QueueItem, lead_client: Client) -> None:
    lead_client.post(url)
    told = lead_client.post(f"{BOARD}add/", {"ids": str(item.trace_id)}, follow=True).content.decode()

    assert "1 added. 1 of these had been removed from this queue before." in told
    assert not Removal.objects.exists()


def test_it_knows_an_item_in_its_own_queue_only(queue: Queue, lead_client: Client) -> None:
    other: int = QueueItemFactory.create(queue__project=queue.project).pk

    assert lead_client.post(f"{BOARD}items/{other}/remove/").status_code == 404
    assert QueueItem.objects.exists()
