"""Messages are written in the transaction of what they tell, for the webhooks that ask for it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from reviewapp.accounts.models import Project, User
from reviewapp.delivery import results
from reviewapp.delivery.results import PushResult
from reviewapp.laminar import RequestRefused
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.skipping import NOBODY, skip
from reviewapp.reviews import announcing, undoing
from reviewapp.reviews.submitting import submit
from reviewapp.webhooks import outbox, subscriptions
from reviewapp.webhooks.models import Event, MessageState, Webhook, WebhookMessage
from tests.delivery.patches import lease_patch, put
from tests.factories import QueueFactory, QueueItemFactory
from tests.reviews.test_submitting import BAD, GOOD
from tests.webhooks.conftest import add_webhook

URL = "https://example.com/hooks"


def list_events() -> list[str]:
    return list(WebhookMessage.objects.order_by("pk").values_list("event", flat=True))


@pytest.fixture
def webhook(project: Project, admin: User) -> Webhook:
    return add_webhook(project, admin, URL)[0]


def test_it_writes_a_message_for_a_review(webhook: Webhook, item: QueueItem, reviewer: User) -> None:
    QueueItemFactory.create(queue=item.queue)
    submit(item, reviewer, GOOD, version=0)
    message = WebhookMessage.objects.get()
    body = json.loads(message.body)

    assert (body["type"], body["timestamp"]) == ("review.submitted", clock.iso(message.created_at))
    assert body["data"]["reviewer"] == "reviewer"
    assert body["data"]["trace_id"] == str(item.trace_id)
    assert body["data"]["project"] == "support"
    assert "review_rev" in str(body["data"]["metadata"])


def test_it_tells_no_notes_that_stay_here(webhook: Webhook, item: QueueItem, reviewer: User) -> None:
    Queue.objects.filter(pk=item.queue_id).update(keeps_notes_here=True)
    item.queue.refresh_from_db()
    submit(item, reviewer, replace(BAD, notes="only for us"), version=0)

    assert list_events() == ["review.submitted", "queue.completed"]
    assert "only for us" not in "".join(WebhookMessage.objects.values_list("body", flat=True))


def test_it_writes_nothing_if_the_transaction_fails(webhook: Webhook, project: Project) -> None:
    with transaction.atomic():
        assert outbox.emit(project, Event.QUEUE_COMPLETED, {"queue": "answers"}) == 1
        transaction.set_rollback(True)
    assert list_events() == []


def test_it_costs_no_query_without_a_webhook(project: Project, item: QueueItem, reviewer: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert outbox.emit(project, Event.REVIEW_SUBMITTED, {}) == 0
        announcing.emit_settled(item, "lead", {})
        assert outbox.withdraw(project, "review:1") == 0
    assert len(queries) == 0

    with CaptureQueriesContext(connection) as queries:
        submit(item, reviewer, GOOD, version=0)
    assert not [query["sql"] for query in queries if "reviewapp_webhook" in query["sql"]]


def test_it_waits_until_a_review_can_no_longer_be_undone(webhook: Webhook, item: QueueItem, reviewer: User) -> None:
    Queue.objects.filter(pk=item.queue_id).update(grace_seconds=30)
    item.queue.refresh_from_db()
    submit(item, reviewer, GOOD, version=0)
    message = WebhookMessage.objects.filter(event="review.submitted").get()

    assert message.due_at - message.created_at == timedelta(seconds=30)
    undoing.undo(item, reviewer)
    assert list_events() == []


def test_it_says_once_that_a_queue_is_completed(webhook: Webhook, item: QueueItem, reviewer: User) -> None:
    other = QueueItemFactory.create(queue=item.queue)
    submit(item, reviewer, GOOD, version=0)
    assert list_events() == ["review.submitted"]
    submit(other, reviewer, GOOD, version=0)
    assert list_events() == ["review.submitted", "review.submitted", "queue.completed"]


def test_it_says_that_a_queue_is_completed_by_a_skip(webhook: Webhook, item: QueueItem, reviewer: User) -> None:
    assert skip(item, reviewer, NOBODY)
    assert QueueItem.objects.get(pk=item.pk).state == ItemState.SKIPPED
    assert list_events() == ["queue.completed"]


def test_it_tells_of_a_parked_delivery(webhook: Webhook, project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}))
    error = RequestRefused("Laminar refused the values.", status=400)
    results.record_pushes([PushResult(patch, None, clock.now(), 0.1, error)])
    data = json.loads(WebhookMessage.objects.get().body)["data"]

    assert (data["delivery"], data["reason"], data["error"]) == (patch.pk, "refused", "Laminar refused the values.")


def test_it_has_functions_for_settled_and_sent_back(webhook: Webhook, item: QueueItem) -> None:
    announcing.emit_settled(item, "lead", {"score": 1}, "as the rubric says")
    announcing.emit_sent_back(item, "lead", "reviewer", "please look at turn 3")
    assert list_events() == ["review.settled", "review.sent_back"]


def test_it_writes_for_the_queue_of_a_webhook_only(project: Project, admin: User, queue: Queue) -> None:
    webhook, _ = add_webhook(project, admin, URL, queue_id=queue.pk)
    other = QueueFactory.create(project=project)
    outbox.emit(project, Event.QUEUE_COMPLETED, {}, queue_id=other.pk)
    outbox.emit(project, Event.DELIVERY_PARKED, {})
    assert list_events() == []
    outbox.emit(project, Event.QUEUE_COMPLETED, {}, queue_id=queue.pk)
    assert WebhookMessage.objects.get().webhook == webhook


def test_it_writes_nothing_for_others(project: Project, admin: User, other_project: Project, webhook: Webhook) -> None:
    outbox.emit(other_project, Event.QUEUE_COMPLETED, {})
    subscriptions.switch_off(webhook, admin)
    outbox.emit(project, Event.QUEUE_COMPLETED, {})
    assert list_events() == []
    project.refresh_from_db()
    assert project.webhook_events == ""


def test_it_writes_a_sentence_for_slack(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL, shape="slack")
    outbox.emit(project, Event.QUEUE_COMPLETED, {"queue": "<!channel> & co"})
    assert json.loads(WebhookMessage.objects.get().body) == {
        "text": "Queue &lt;!channel&gt; &amp; co is completed: nothing is left to review."
    }


def test_it_retries_what_is_parked(webhook: Webhook, project: Project) -> None:
    outbox.emit(project, Event.QUEUE_COMPLETED, {})
    WebhookMessage.objects.update(state=MessageState.PARKED, failures=9, last_error="x")
    message_id = WebhookMessage.objects.get().message_id

    assert outbox.retry(webhook) == 1
    message = WebhookMessage.objects.get()
    assert (message.state, message.failures, message.message_id) == ("waiting", 0, message_id)
