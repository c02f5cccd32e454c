"""Write messages in the transaction of what they tell, withdraw them, and send them again."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock
from reviewapp.webhooks import slack
from reviewapp.webhooks.models import Event, MessageState, Shape, Webhook, WebhookMessage


def is_subscribed(project: Project, event: Event) -> bool:
    """Whether a webhook of the project asks for this event, as far as the loaded project says. Costs no query."""
    return event.value in project.webhook_events.split()


def emit(
    project: Project,
    event: Event,
    data: Mapping[str, Any],
    *,
    queue_id: int | None = None,
    subject: str = "",
    delay: timedelta = timedelta(0),
) -> int:
    """Write a message to each webhook that asks for this event, in the caller's transaction.

    `data` is JSON; `queue_id` is the queue that the event concerns, `subject` what `withdraw` finds the message by.
    The messages are sent after `delay`. Returns their number. Costs nothing if the project has no such webhook.
    Raises canonical_json.InvalidJSONError.
    """
    if not is_subscribed(project, event):
        return 0
    concerned = Q(queue=None) if queue_id is None else Q(queue=None) | Q(queue=queue_id)
    webhooks = [
        webhook
        for webhook in Webhook.objects.filter(concerned, project=project, is_on=True).order_by("made_at")
        if event.value in webhook.event_names
    ]
    return put(webhooks, event, {"project": project.slug, **data}, subject=subject, delay=delay)


def put(
    webhooks: Sequence[Webhook],
    event: Event,
    data: Mapping[str, Any],
    *,
    subject: str = "",
    delay: timedelta = timedelta(0),
) -> int:
    """Write a message to each of these webhooks. Returns the number. Raises canonical_json.InvalidJSONError."""
    if not webhooks:
        return 0
    now = clock.now()
    bodies = {
        Shape.STANDARD.value: {"type": event.value, "timestamp": clock.iso(now), "data": dict(data)},
        Shape.SLACK.value: {"text": slack.write_sentence(event, data)},
    }
    texts = {shape: canonical_json.dumps(body) for shape, body in bodies.items()}
    messages = [
        WebhookMessage(
            webhook=webhook, event=event.value, body=texts[webhook.shape], subject=subject, created_at=now,
            trying_since=now, due_at=now + delay,
        )
        for webhook in webhooks
    ]  # fmt: skip
    WebhookMessage.objects.bulk_create(messages)
    return len(messages)


def withdraw(project: Project, subject: str) -> int:
    """Delete the messages about a subject that no worker has leased yet. Returns the number."""
    if not project.webhook_events:
        return 0
    unsent = WebhookMessage.objects.filter(
        webhook__project=project, subject=subject, state=MessageState.WAITING, lease=0
    )
    return unsent.delete()[0]


def retry(webhook: Webhook, message_ids: Sequence[int] | None = None) -> int:
    """Send messages again, or now if they wait; without ids, all parked ones. Returns the number.

    A message keeps its id: a receiver that had it recognises it.
    """
    messages = WebhookMessage.objects.filter(webhook=webhook).exclude(state=MessageState.SENDING)
    if message_ids is None:
        messages = messages.filter(state=MessageState.PARKED)
    else:
        messages = messages.filter(pk__in=message_ids)
    now = clock.now()
    Webhook.objects.filter(pk=webhook.pk).update(open_until=None)
    return messages.update(
        state=MessageState.WAITING, due_at=now, failures=0, trying_since=now, ended_at=None, last_error=""
    )
