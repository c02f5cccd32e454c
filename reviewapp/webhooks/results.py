"""What an endpoint's answer means for the message and for its webhook."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from reviewapp.lib import backoff, clock, failpoints
from reviewapp.lib.shortening import shorten
from reviewapp.webhooks import schedule, subscriptions
from reviewapp.webhooks.models import MessageState, Webhook, WebhookAttempt, WebhookMessage

log = logging.getLogger(__name__)

GONE_STATUS = 410
GONE_REASON = (
    "The endpoint answered 410 Gone, which means that it wants no more messages. Waiting messages are kept."
    " Correct the URL if it has moved, then switch the webhook on."
)
FAILING_REASON = (
    "The endpoint has failed for {days} days without one success. Waiting messages are kept and are sent once you"
    " switch the webhook on. The last failure: {outcome}"
)


@dataclass(frozen=True, slots=True)
class SendResult:
    """One finished try: when it began, how long it took, and what was answered. No status: there was no answer.

    `is_local`: nothing was sent because of a fault here, which says nothing about the endpoint.
    """

    message: WebhookMessage
    started_at: datetime
    milliseconds: int
    outcome: str
    is_success: bool = False
    status: int | None = None
    answer: str = ""
    retry_after: float | None = None
    is_local: bool = False


def record_result(result: SendResult) -> bool:
    """Write the outcome with its attempt, in one transaction. Returns False if the lease was lost."""
    message, now, off_reason = result.message, clock.now(), ""
    outcome = shorten(result.outcome, 600)
    with transaction.atomic():
        leased = WebhookMessage.objects.filter(pk=message.pk, state=MessageState.SENDING, lease=message.lease)
        if not leased.update(leased_until=None, **_message_changes(result, outcome, now)):
            return False
        WebhookAttempt.objects.create(
            message=message, at=result.started_at, milliseconds=result.milliseconds, status=result.status,
            outcome=outcome, answer=shorten(result.answer, 500),
        )  # fmt: skip
        failpoints.hit("webhook.marking")
        if result.is_success:
            _end_failures(message.webhook_id, now)
        elif not result.is_local:
            off_reason = _count_failure(message, result, outcome, now)
    # In a transaction of its own: it locks the project first, as a person's change of the webhook does.
    if off_reason:
        subscriptions.switch_off(message.webhook, "worker", shorten(off_reason, 600))
    return True


def _message_changes(result: SendResult, outcome: str, now: datetime) -> dict[str, Any]:
    message = result.message
    if result.is_success:
        return {"state": MessageState.DELIVERED, "ended_at": now, "last_error": ""}
    failed = {"failures": F("failures") + 1, "last_error": outcome}
    tries = message.failures + 1
    if tries >= schedule.GIVE_UP_MIN_TRIES and now - message.trying_since > schedule.GIVE_UP_AFTER:
        return {**failed, "state": MessageState.PARKED, "ended_at": now}
    delay = backoff.failure_delay(tries, result.retry_after)
    return {**failed, "state": MessageState.WAITING, "due_at": now + delay}


def _end_failures(webhook_id: UUID, now: datetime) -> None:
    failing = Webhook.objects.filter(Q(failures__gt=0) | ~Q(open_until=None), pk=webhook_id)
    was_stopped = failing.filter(failures__gte=schedule.FAILURE_THRESHOLD).exists()
    if failing.update(failures=0, failing_since=None, open_until=None) and was_stopped:
        waiting = WebhookMessage.objects.filter(webhook=webhook_id, state=MessageState.WAITING, failures__gt=0)
        waiting.update(due_at=now)


def _count_failure(message: WebhookMessage, result: SendResult, outcome: str, now: datetime) -> str:
    """Count one more failure in a row. Returns why the webhook must be switched off; empty if it need not be."""
    row = Webhook.objects.filter(pk=message.webhook_id)
    row.update(failures=F("failures") + 1, failing_since=Coalesce(F("failing_since"), now))
    failures, failing_since = row.values_list("failures", "failing_since").get()
    delay = schedule.rest(failures, result.retry_after)
    if delay is not None:
        row.update(open_until=now + delay)
    log.warning(
        "Webhook %s: message %s failed and is tried again: %s", message.webhook_id, message.pk, outcome,
        extra={"summary": f"webhook {message.webhook_id}"},
    )  # fmt: skip
    if result.status == GONE_STATUS:
        return GONE_REASON
    duration = now - (failing_since or now)
    if duration > schedule.SWITCH_OFF_AFTER:
        return FAILING_REASON.format(days=duration.days, outcome=outcome)
    return ""
