"""Get a project's webhook or message for a view. One that does not exist or belongs to another project is a 404."""

from uuid import UUID

from django.http import Http404

from reviewapp.accounts.models import Project
from reviewapp.webhooks.models import Webhook, WebhookMessage


def get_webhook_or_404(project: Project, webhook_id: UUID) -> Webhook:
    """The project's webhook with this id. Raises Http404."""
    webhook = Webhook.objects.select_related("queue").filter(project=project, pk=webhook_id).first()
    if webhook is None:
        raise Http404("There is no such webhook in this project.")
    webhook.project = project
    return webhook


def get_message_or_404(project: Project, webhook_id: UUID, message_id: int) -> WebhookMessage:
    """The message with this id of the project's webhook. Raises Http404."""
    webhook = get_webhook_or_404(project, webhook_id)
    message = WebhookMessage.objects.filter(webhook=webhook, pk=message_id).first()
    if message is None:
        raise Http404("There is no such message, or it was deleted because of its age.")
    message.webhook = webhook
    return message
