"""Change items of a queue's list in bulk: requeue, priority, due date."""

from datetime import timedelta

import pytest
from django.test import Client

from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.web.templatetags.web import due
from tests.factories import QueueItemFactory, ReviewFactory

URL = "/p/support/queues/answers/items/change/"


def test_it_requeues_reviewed_items_and_keeps_their_reviews(lead_client: Client, queue: Queue) -> None:
    review = ReviewFactory.create(item__queue=queue)
    QueueItemFactory.create(queue=queue, state=ItemState.SKIPPED)
    response = lead_client.post(URL, {"action": "requeue", "all": "1", "state": "completed"}, follow=True)
    assert "1 item changed." in response.text
    review.item.refresh_from_db()
    assert (review.item.state, review.item.version, review.item.reviews.count()) == (ItemState.PENDING, 1, 1)
    assert AuditEvent.objects.get().verb == "requeued items"


def test_it_changes_only_the_ticked_items(lead_client: Client, queue: Queue) -> None:
    ticked, other = QueueItemFactory.create(queue=queue), QueueItemFactory.create(queue=queue)
    lead_client.post(URL, {"action": "priority", "item": ticked.pk, "priority": "7"})
    assert dict(QueueItem.objects.values_list("pk", "priority")) == {ticked.pk: 7, other.pk: 0}


def test_it_names_items_of_other_queues_and_unknown_ones(lead_client: Client, queue: Queue) -> None:
    item, foreign = QueueItemFactory.create(queue=queue), QueueItemFactory.create(queue__slug="other")
    data = {"action": "priority", "item": [item.pk, foreign.pk, "x"], "priority": "7"}
    page = lead_client.post(URL, data, follow=True).text
    assert "1 item changed." in page
    assert f"Left out, because not in this queue: “{foreign.pk}”, “x”." in page
    foreign.refresh_from_db()
    assert foreign.priority == 0


def test_it_sets_and_removes_a_due_date(lead_client: Client, queue: Queue) -> None:
    item = QueueItemFactory.create(queue=queue)
    page = lead_client.post(URL, {"action": "due_at", "item": item.pk, "due_at": "2020-01-01"}, follow=True)
    assert "days late" in page.text
    lead_client.post(URL, {"action": "due_at", "item": item.pk, "due_at": ""})
    item.refresh_from_db()
    assert item.due_at is None


@pytest.mark.parametrize(
    "data", [{}, {"action": "x"}, {"action": "priority", "priority": "high"}, {"action": "priority"},
             {"action": "due_at", "due_at": "soon"}],
)  # fmt: skip
def test_it_refuses_with_a_sentence(lead_client: Client, queue: Queue, data: dict[str, str]) -> None:
    item = QueueItemFactory.create(queue=queue, priority=3)
    page = lead_client.post(URL, {**data, "all": "1"}, follow=True)
    assert "Nothing was changed." in page.text
    item.refresh_from_db()
    assert (item.priority, item.due_at) == (3, None)


@pytest.mark.parametrize(("days", "text"), [(2, "due in 2 days"), (1, "due in 1 day"), (-3, "3 days late")])
def test_it_says_when_an_item_is_due(db: None, days: int, text: str) -> None:
    assert due(clock.now() + timedelta(days=days)) == text
