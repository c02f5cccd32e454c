"""Lease messages to a worker: few of each webhook at once, so that none slows the others."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from reviewapp.lib import clock, leases
from reviewapp.webhooks.models import MessageState, Webhook, WebhookAttempt, WebhookMessage
from reviewapp.webhooks.schedule import FAILURE_THRESHOLD, RETENTION

# Messages of one webhook that a worker sends at once.
MAX_PER_WEBHOOK = 4
INTERRUPTED_MESSAGE = "The worker stopped before it recorded a result: the endpoint may have received the message."
# Messages that each round of maintenance deletes.
DELETE_BATCH = 500


def lease(limit: int, under_way: Mapping[UUID, int]) -> list[WebhookMessage]:
    """Lease up to `limit` due messages, the oldest of each webhook first, with their webhooks.

    `under_way` counts the messages by webhook that this worker is sending already.
    """
    now = clock.now()
    due = WebhookMessage.objects.filter(webhook=OuterRef("pk"), state=MessageState.WAITING, due_at__lte=now)
    # Held while the project's deliveries are paused, above all after a restore: others may have been told already.
    ready = Webhook.objects.filter(Exists(due), is_on=True, project__breaker__paused_at=None)
    ready = ready.exclude(open_until__gt=now).select_related("project")
    messages: list[WebhookMessage] = []
    for webhook in ready.order_by("failures", "made_at"):
        room = min(MAX_PER_WEBHOOK - under_way.get(webhook.pk, 0), limit - len(messages))
        if room > 0:
            messages += _lease_of(webhook, room, now)
    return messages


def _lease_of(webhook: Webhook, room: int, now: datetime) -> list[WebhookMessage]:
    with transaction.atomic():
        if webhook.failures >= FAILURE_THRESHOLD:
            # One probe at a time, from all workers together.
            locked = Webhook.objects.select_for_update(skip_locked=True).filter(pk=webhook.pk).first()
            sending = WebhookMessage.objects.filter(webhook=webhook, state=MessageState.SENDING)
            if locked is None or (locked.open_until is not None and locked.open_until > now) or sending.exists():
                return []
            room = 1
        due = WebhookMessage.objects.filter(webhook=webhook, state=MessageState.WAITING, due_at__lte=now)
        rows = list(due.order_by("due_at", "pk").select_for_update(skip_locked=True)[:room])
        until, deadline = now + leases.LEASE_DURATION, leases.make_deadline()
        WebhookMessage.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=MessageState.SENDING, lease=F("lease") + 1, leased_until=until
        )
    for row in rows:
        row.webhook, row.state, row.lease, row.lease_deadline = webhook, MessageState.SENDING, row.lease + 1, deadline
    return rows


def release_leases(messages: Sequence[WebhookMessage]) -> None:
    """Release the leases of messages that were not sent."""
    for message in messages:
        leased = WebhookMessage.objects.filter(pk=message.pk, state=MessageState.SENDING, lease=message.lease)
        leased.update(state=MessageState.WAITING, leased_until=None)


def release_expired_leases() -> int:
    """Release the leases of workers that died: their messages are sent again under the same id. Returns the number.

    None after the database's clock was set, as for patches.
    """
    now = clock.now()
    expired = WebhookMessage.objects.filter(leases.is_expired(now), state=MessageState.SENDING)
    if not expired.exists():
        return 0
    with transaction.atomic():
        rows = list(expired.select_for_update().order_by("pk"))
        clock.sync()
        if clock.has_jumped_within(leases.LEASE_DURATION):
            return 0
        WebhookMessage.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=MessageState.WAITING, lease=F("lease") + 1, leased_until=None, due_at=now
        )
        WebhookAttempt.objects.bulk_create(
            [WebhookAttempt(message=row, at=now, milliseconds=0, outcome=INTERRUPTED_MESSAGE) for row in rows]
        )
    return len(rows)


def bring_forward(set_back: timedelta) -> None:
    """Correct what was scheduled before the database's clock was set back by this much."""
    now = clock.now()
    waiting = WebhookMessage.objects.filter(state=MessageState.WAITING, due_at__gt=now)
    waiting.update(due_at=F("due_at") - set_back)
    Webhook.objects.filter(open_until__gt=now).update(open_until=F("open_until") - set_back)


def delete_old() -> int:
    """Delete messages older than RETENTION, a batch at a time, with their attempts. Returns the number of messages."""
    old = WebhookMessage.objects.filter(created_at__lt=clock.now() - RETENTION).exclude(state=MessageState.SENDING)
    pks = list(old.order_by("created_at").values_list("pk", flat=True)[:DELETE_BATCH])
    if pks:
        WebhookMessage.objects.filter(pk__in=pks).delete()
    return len(pks)
