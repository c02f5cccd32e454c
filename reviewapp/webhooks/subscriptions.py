"""Create, change, switch, rotate and delete webhooks; each with its audit event, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.laminar import check_address, get_origin, take_slot
from reviewapp.lib import clock, deadline
from reviewapp.webhooks import signing
from reviewapp.webhooks.models import Webhook
from reviewapp.webhooks.schedule import OLD_SECRET_DURATION

MAX_WEBHOOKS = 20
# Seconds that the look-up of a name may take while a page waits for it.
CHECK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a person sets of a webhook: a normalized URL, the shape, `Event` values, and a queue's id (None: every)."""

    url: str
    shape: str
    events: Sequence[str]
    queue_id: int | None

    @property
    def fields(self) -> dict[str, Any]:
        return {"url": self.url, "shape": self.shape, "events": " ".join(self.events), "queue_id": self.queue_id}


class TooManyWebhooksError(Exception):
    """The project has as many webhooks as it may have; none was created."""


def check_url(url: str) -> None:
    """Check that a normalized URL leads to an allowed address now. Raises LaminarError, with a sentence."""
    with take_slot(), deadline.limit(CHECK_SECONDS):
        check_address(get_origin(url), settings.ALLOWED_WEBHOOK_HOSTS)


def create_webhook(project: Project, subscription: Subscription, actor: User) -> tuple[Webhook, str]:
    """Create a webhook. Returns it with its secret, which is not shown again. Raises TooManyWebhooksError."""
    secret = signing.generate_secret()
    with transaction.atomic():
        _lock(project)
        if Webhook.objects.filter(project=project).count() >= MAX_WEBHOOKS:
            raise TooManyWebhooksError
        webhook = Webhook(project=project, made_by=get_actor_name(actor), **subscription.fields)
        webhook.encrypted_secret = webhook.encrypt_secret(secret)
        webhook.save(force_insert=True)
        _update_events(project)
        _record(webhook, actor, "created webhook", **_describe(subscription))
    return webhook, secret


def change_webhook(webhook: Webhook, subscription: Subscription, actor: User) -> None:
    """Change what a webhook is sent and where. Messages that wait go to the new URL."""
    with transaction.atomic():
        _lock(webhook.project)
        Webhook.objects.filter(pk=webhook.pk).update(
            **subscription.fields, failures=0, failing_since=None, open_until=None
        )
        _update_events(webhook.project)
        _record(webhook, actor, "changed webhook", **_describe(subscription))


def rotate_secret(webhook: Webhook, actor: User) -> str:
    """Replace the secret and return the new one; the old one signs too for OLD_SECRET_DURATION."""
    secret = signing.generate_secret()
    with transaction.atomic():
        row = Webhook.objects.select_for_update().get(pk=webhook.pk)
        row.encrypted_old_secret, row.encrypted_secret = row.encrypted_secret, row.encrypt_secret(secret)
        row.old_secret_until = clock.now() + OLD_SECRET_DURATION
        row.save(update_fields=["encrypted_old_secret", "encrypted_secret", "old_secret_until"])
        _record(webhook, actor, "rotated webhook secret")
    return secret


def switch_on(webhook: Webhook, actor: User) -> bool:
    """Switch a webhook on; waiting messages are sent. Returns False if it was on."""
    return _switch(webhook, actor, "switched on webhook", is_on=True, off_reason="")


def switch_off(webhook: Webhook, actor: User | str, reason: str = "") -> bool:
    """Switch a webhook off; waiting messages are kept, new events add none. Returns False if it was off."""
    return _switch(webhook, actor, "switched off webhook", is_on=False, off_reason=reason)


def delete_webhook(webhook: Webhook, actor: User) -> None:
    """Delete a webhook with its messages."""
    with transaction.atomic():
        _lock(webhook.project)
        Webhook.objects.filter(pk=webhook.pk).delete()
        _update_events(webhook.project)
        _record(webhook, actor, "deleted webhook")


def _switch(webhook: Webhook, actor: User | str, verb: str, *, is_on: bool, off_reason: str) -> bool:
    with transaction.atomic():
        _lock(webhook.project)
        switched = Webhook.objects.filter(pk=webhook.pk, is_on=not is_on).update(
            is_on=is_on, off_reason=off_reason, failures=0, failing_since=None, open_until=None
        )
        if switched:
            _update_events(webhook.project)
            _record(webhook, actor, verb, **({"reason": off_reason} if off_reason else {}))
    return bool(switched)


def _lock(project: Project) -> None:
    """Serialise changes of a project's webhooks: each computes the events that all of them ask for."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _update_events(project: Project) -> None:
    names = {name for row in Webhook.objects.filter(project=project, is_on=True) for name in row.event_names}
    Project.objects.filter(pk=project.pk).update(webhook_events=" ".join(sorted(names)))


def _describe(subscription: Subscription) -> dict[str, object]:
    # Only the server: the path of a URL can be a secret.
    return {"server": get_origin(subscription.url), "events": list(subscription.events), "shape": subscription.shape}


def _record(webhook: Webhook, actor: User | str, verb: str, **detail: Any) -> None:
    record(webhook.project, actor, verb, f"webhook:{webhook.pk}", **detail)
