"""Pages of webhooks for admins: the list, one webhook with its messages, one message with its attempts."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib.numbers import parse_int
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request
from reviewapp.webhooks import outbox, subscriptions
from reviewapp.webhooks.access import get_message_or_404, get_webhook_or_404
from reviewapp.webhooks.forms import WebhookForm
from reviewapp.webhooks.models import Event, MessageState, Webhook, WebhookMessage

MESSAGES_PER_PAGE = 50
MAX_ATTEMPTS_SHOWN = 100
TOO_MANY = (
    f"Not created. A project can have {subscriptions.MAX_WEBHOOKS} webhooks. Delete one that is no longer needed first."
)


@access.member(Role.ADMIN)
@require_safe
def webhook_list(request: Request, project: Project) -> HttpResponse:
    return _render_list(request, project, WebhookForm(project=project))


@access.member(Role.ADMIN)
@require_POST
def webhook_create(request: Request, project: Project) -> HttpResponse:
    form = WebhookForm(request.POST, project=project)
    if not form.is_valid():
        return _render_list(request, project, form, status=422)
    try:
        webhook, secret = subscriptions.create_webhook(project, form.subscription, request.user)
    except subscriptions.TooManyWebhooksError:
        form.add_error(None, TOO_MANY)
        return _render_list(request, project, form, status=422)
    # Shown in this response only, hence no redirect.
    return _render_secret(request, webhook, secret)


@access.member(Role.ADMIN)
@require_safe
def webhook_page(request: Request, project: Project, webhook: UUID) -> HttpResponse:
    row = get_webhook_or_404(project, webhook)
    return _render_webhook(request, row, WebhookForm(project=project, webhook=row))


@access.member(Role.ADMIN)
@require_POST
def webhook_change(request: Request, project: Project, webhook: UUID) -> HttpResponse:
    row = get_webhook_or_404(project, webhook)
    form = WebhookForm(request.POST, project=project, webhook=row)
    if not form.is_valid():
        return _render_webhook(request, row, form, status=422)
    subscriptions.change_webhook(row, form.subscription, request.user)
    messages.success(request, "Saved. Messages that are waiting go to this URL too.")
    return _go_to_webhook(row)


@access.member(Role.ADMIN)
@require_POST
def webhook_test(request: Request, project: Project, webhook: UUID) -> HttpResponse:
    row = get_webhook_or_404(project, webhook)
    if not row.is_on:
        messages.error(request, "Not sent. This webhook is switched off. Switch it on first.")
        return _go_to_webhook(row)
    outbox.put([row], Event.TEST, {"project": project.slug})
    message = WebhookMessage.objects.filter(webhook=row, event=Event.TEST).order_by("-pk")[0]
    return redirect("webhooks:message-page", project=project.slug, webhook=row.pk, message=message.pk)


@access.member(Role.ADMIN)
@require_POST
def webhook_rotate(request: Request, project: Project, webhook: UUID) -> HttpResponse:
    row = get_webhook_or_404(project, webhook)
    return _render_secret(request, row, subscriptions.rotate_secret(row, request.user))


@access.member(Role.ADMIN)
@require_POST
def webhook_switch(request: Request, project: Project, webhook: UUID) -> HttpResponse:
    row = get_webhook_or_404(project, webhook)
    if request.POST.get("is_on") == "true":
        subscriptions.switch_on(row, request.user)
        messages.success(request, "Switched on. Messages that are waiting are sent now.")
    else:
        subscriptions.switch_off(row, request.user)
        messages.success(request, "Switched off. Messages that are waiting are kept.")
    return _go_to_webhook(row)


@access.member(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_delete(request: Request, project: Project, webhook: UUID) -> HttpResponse:
    row = get_webhook_or_404(project, webhook)
    if request.method == "POST":
        subscriptions.delete_webhook(row, request.user)
        messages.success(request, "The webhook was deleted with its messages.")
        return redirect("webhooks:webhook-list", project=project.slug)
    count = WebhookMessage.objects.filter(webhook=row).exclude(state=MessageState.DELIVERED).count()
    context = {"project": project, "section": "keys", "webhook": row, "undelivered_count": count}
    return render_page(request, "webhooks/delete.html", context)


@access.member(Role.ADMIN)
@require_POST
def messages_retry(request: Request, project: Project, webhook: UUID) -> HttpResponse:
    """Send all parked messages of a webhook again."""
    row = get_webhook_or_404(project, webhook)
    count = outbox.retry(row)
    messages.success(request, f"{count:,} {'message is' if count == 1 else 'messages are'} being sent again.")
    return _go_to_webhook(row)


@access.member(Role.ADMIN)
@require_safe
def message_page(request: Request, project: Project, webhook: UUID, message: int) -> HttpResponse:
    row = get_message_or_404(project, webhook, message)
    context = {
        "project": project,
        "section": "keys",
        "webhook": row.webhook,
        "message": row,
        "attempts": row.attempts.order_by("-pk")[:MAX_ATTEMPTS_SHOWN],
    }
    return render_page(request, "webhooks/message.html", context, fragment="attempts")


@access.member(Role.ADMIN)
@require_POST
def message_retry(request: Request, project: Project, webhook: UUID, message: int) -> HttpResponse:
    row = get_message_or_404(project, webhook, message)
    if outbox.retry(row.webhook, [row.pk]):
        messages.success(request, "The message is sent again under the same id.")
    return redirect("webhooks:message-page", project=project.slug, webhook=row.webhook_id, message=row.pk)


def _render_list(request: Request, project: Project, form: WebhookForm, *, status: int = 200) -> HttpResponse:
    webhooks = Webhook.objects.filter(project=project).select_related("queue").order_by("made_at")
    context = {"project": project, "section": "keys", "webhooks": webhooks, "form": form}
    return render_page(request, "webhooks/list.html", context, status=status)


def _render_webhook(request: Request, webhook: Webhook, form: WebhookForm, *, status: int = 200) -> HttpResponse:
    rows = WebhookMessage.objects.filter(webhook=webhook).defer("body")
    state = request.GET.get("state", "")
    shown = rows.filter(state=state) if state in MessageState.values else rows
    before = parse_int(request.GET.get("before"))
    if before is not None:
        shown = shown.filter(pk__lt=before)
    page = list(shown.order_by("-pk")[: MESSAGES_PER_PAGE + 1])
    context = {
        "project": webhook.project,
        "section": "keys",
        "webhook": webhook,
        "form": form,
        "messages_shown": page[:MESSAGES_PER_PAGE],
        "older": page[MESSAGES_PER_PAGE - 1].pk if len(page) > MESSAGES_PER_PAGE else None,
        "state": state if state in MessageState.values else "",
        "states": MessageState.values,
        "has_parked": rows.filter(state=MessageState.PARKED).exists(),
    }
    return render_page(request, "webhooks/webhook.html", context, status=status)


def _render_secret(request: Request, webhook: Webhook, secret: str) -> HttpResponse:
    context = {"project": webhook.project, "section": "keys", "webhook": webhook, "secret": secret}
    return render_page(request, "webhooks/secret.html", context)


def _go_to_webhook(webhook: Webhook) -> HttpResponse:
    return redirect("webhooks:webhook-page", project=webhook.project.slug, webhook=webhook.pk)
