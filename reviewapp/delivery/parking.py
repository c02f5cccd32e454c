"""Tell webhooks that a delivery was parked, in the transaction that parks it."""

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, Reason
from reviewapp.lib.shortening import shorten
from reviewapp.webhooks import outbox as webhooks
from reviewapp.webhooks.models import Event


def emit_parked(patch: Patch, reason: Reason, message: str) -> None:
    """Write a message about this parked patch to each webhook that asks for it. Call it in the transaction."""
    project = Project.objects.exclude(webhook_events="").filter(pk=patch.project_id).first()
    if project is not None:
        data = {
            "delivery": patch.pk,
            "trace_id": str(patch.trace_id),
            "source": patch.source,
            "reason": reason.value,
            "error": shorten(message, 600),
        }
        webhooks.emit(project, Event.DELIVERY_PARKED, data)
