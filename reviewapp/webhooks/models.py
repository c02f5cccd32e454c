"""Webhooks of a project, the messages to send to them, and every attempt."""

import math
import uuid

from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import Project
from reviewapp.keys import encryption
from reviewapp.lib import clock


class Event(models.TextChoices):
    """What a webhook can be told of. `webhook.test` is sent by the test button only."""

    REVIEW_SUBMITTED = "review.submitted", "Review submitted"
    REVIEW_SETTLED = "review.settled", "Disagreement settled"
    REVIEW_SENT_BACK = "review.sent_back", "Review sent back"
    QUEUE_COMPLETED = "queue.completed", "Queue completed"
    DELIVERY_PARKED = "delivery.parked", "Delivery parked"
    TEST = "webhook.test", "Test"


SUBSCRIBABLE = [event for event in Event if event is not Event.TEST]


class Shape(models.TextChoices):
    """How the body of a message is written."""

    STANDARD = "standard", "JSON with all data (Standard Webhooks)"
    SLACK = "slack", "A sentence, for Slack and compatible chats"


class Webhook(models.Model):
    """An endpoint that is sent messages about events of its project."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2000)
    shape = models.CharField(max_length=10, choices=Shape.choices, default=Shape.STANDARD)
    # `Event` values with spaces between.
    events = models.CharField(max_length=400)
    # Null: every queue. Events that concern no queue are sent to webhooks of every queue only.
    queue = models.ForeignKey("reviewapp.Queue", on_delete=models.CASCADE, null=True, related_name="+")
    encrypted_secret = models.TextField()
    # After a rotation: the secret before, which signs too until this time.
    encrypted_old_secret = models.TextField(blank=True, default="")
    old_secret_until = models.DateTimeField(null=True)
    is_on = models.BooleanField(default=True)
    # Why it was switched off, as a sentence; empty if a person did it.
    off_reason = models.CharField(max_length=600, blank=True, default="")
    # Failures in a row, since when, and the time before which nothing is sent. One message at a time goes after it.
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    open_until = models.DateTimeField(null=True)
    made_by = models.CharField(max_length=120)
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["project", "made_at"], name="webhook_of_project")]

    @property
    def event_names(self) -> list[str]:
        return self.events.split()

    @property
    def event_labels(self) -> list[str]:
        return [Event(name).label for name in self.event_names if name in Event.values]

    @property
    def secret(self) -> str:
        """Decrypt the secret, for the message that it signs. Raises DecryptionError."""
        return encryption.decrypt(self.encrypted_secret, self._row_name)

    @property
    def has_old_secret(self) -> bool:
        return self.old_secret_until is not None and self.old_secret_until > clock.now()

    @property
    def secrets(self) -> list[str]:
        """The secrets that sign now: the current one, and the one before while both hold. Raises DecryptionError."""
        old = [encryption.decrypt(self.encrypted_old_secret, self._row_name)] if self.has_old_secret else []
        return [self.secret, *old]

    def encrypt_secret(self, secret: str) -> str:
        """Encrypt a secret for this row."""
        return encryption.encrypt(secret, self._row_name)

    @property
    def _row_name(self) -> str:
        return f"webhook:{self.project_id}:{self.pk}"


class MessageState(models.TextChoices):
    WAITING = "waiting", "waiting"
    SENDING = "sending", "sending"
    DELIVERED = "delivered", "delivered"
    PARKED = "parked", "parked"


class WebhookMessage(models.Model):
    """One outbox row: a body to POST to a webhook.

    waiting -> sending -> delivered. Back to waiting after a failure; parked after days of failures.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="messages", db_index=False)
    # The header `webhook-id`: the same in every attempt, so that a receiver recognises a repeated message.
    message_id = models.UUIDField(default=uuid.uuid4)
    event = models.CharField(max_length=40)
    body = models.TextField()
    # What the message is about, such as `review:12`; it can be withdrawn by this until it is sent.
    subject = models.CharField(max_length=60, blank=True, default="")
    state = models.CharField(max_length=10, choices=MessageState.choices, default=MessageState.WAITING)
    created_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField()
    # As `Patch.lease`.
    lease = models.PositiveBigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    # When it was created, or retried by a person: it is parked when it has failed for days since.
    trying_since = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=600, blank=True, default="")

    # When the lease ends by this process's `clock.monotonic`, set by the worker that holds it.
    lease_deadline = math.inf

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=MessageState.values), name="message_state_is_known"),
        ]
        indexes = [
            # Partial indexes: a lease costs the same with a million delivered messages.
            models.Index(fields=["webhook", "due_at", "id"], name="message_waiting", condition=Q(state="waiting")),
            models.Index(fields=["leased_until"], name="message_sending", condition=Q(state="sending")),
            models.Index(fields=["subject"], name="message_subject", condition=Q(state="waiting") & ~Q(subject="")),
            models.Index(fields=["webhook", "state", "-id"], name="message_by_state"),
            models.Index(fields=["created_at"], name="message_age"),
        ]

    @property
    def header_id(self) -> str:
        return f"msg_{self.message_id.hex}"

    @property
    def has_ended(self) -> bool:
        return self.state in (MessageState.DELIVERED, MessageState.PARKED)

    @property
    def can_be_retried(self) -> bool:
        """Whether a person may send it again or now. Receivers recognise a repeated message by its id."""
        return self.state != MessageState.SENDING


class WebhookAttempt(models.Model):
    """One try to send a message, and the answer."""

    message = models.ForeignKey(WebhookMessage, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    outcome = models.CharField(max_length=600)
    answer = models.CharField(max_length=500, blank=True)
