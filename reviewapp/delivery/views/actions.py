"""What a lead or an admin does about deliveries: send again, look now, settle a drift, let go what is held."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit.recording import record
from reviewapp.delivery import breaker, drift, outbox, restore_guard
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.delivery.views.patches import patch_of
from reviewapp.lib.numbers import parse_int
from reviewapp.web.request import Request

# Sent again in one transaction: a save waits for no more than these.
RETRY_BATCH_SIZE = 100


@access.member(Role.LEAD)
@require_POST
def patch_retry(request: Request, project: Project) -> HttpResponse:
    chosen = sorted(number for text in request.POST.getlist("patch") if (number := parse_int(text)) is not None)
    if request.POST.get("all") == "parked":
        parked = Patch.objects.filter(project=project, state=State.PARKED).order_by("pk")
        reason = request.POST.get("reason", "")
        parked = parked.filter(reason=reason) if reason in Reason.values else parked
        chosen = list(parked.values_list("pk", flat=True))
    count = 0
    for start in range(0, len(chosen), RETRY_BATCH_SIZE):
        part = chosen[start : start + RETRY_BATCH_SIZE]
        with transaction.atomic():
            sent = outbox.retry(project, part, request.user.username)
            if sent:
                record(project, request.user, "retried deliveries", "deliveries", count=sent, patches=part)
        count += sent
    messages.success(request, f"{count} sent again." if count else "Nothing was waiting to be sent again.")
    return redirect("delivery:patch-list", project=project.slug)


@access.member(Role.LEAD)
@require_POST
def hold_probe(request: Request, project: Project) -> HttpResponse:
    """Let one push of a project that is held back go to try now."""
    sent = breaker.probe(project.pk)
    if sent is None:
        messages.info(request, "Nothing is held back any more.")
    elif sent:
        messages.success(request, "One delivery is sent to try. When Laminar answers, the others follow.")
    else:
        messages.info(request, "No delivery is due just now. The next one goes to try when its time comes.")
    return redirect("delivery:patch-list", project=project.slug)


@access.member(Role.LEAD)
@require_POST
def patch_look(request: Request, project: Project, patch: int) -> HttpResponse:
    found = patch_of(project, patch)
    if drift.check_now(project, found.pk):
        messages.success(request, "A worker looks within a few seconds. Reload the page to see what it found.")
    else:
        messages.info(request, "Only a confirmed delivery can be looked at. This one is not confirmed.")
    return redirect("delivery:patch-page", project=project.slug, patch=found.pk)


@access.member(Role.LEAD)
@require_POST
def patch_push_again(request: Request, project: Project, patch: int) -> HttpResponse:
    found = patch_of(project, patch)
    new = drift.push_again(project, found, request.user)
    if new is None:
        messages.info(request, "There is nothing of this delivery to push again: it was done, or has changed since.")
        return redirect("delivery:patch-page", project=project.slug, patch=found.pk)
    messages.success(request, f"Ours is on its way again as delivery {new.pk}.")
    return redirect("delivery:patch-page", project=project.slug, patch=new.pk)


@access.member(Role.LEAD)
@require_POST
def patch_leave_theirs(request: Request, project: Project, patch: int) -> HttpResponse:
    found = patch_of(project, patch)
    if drift.keep_laminar_values(project, found, request.user):
        messages.success(request, "Laminar's values are left as they are. Should they change again, it is told here.")
    else:
        messages.info(request, "There is nothing to leave: somebody decided it, or it has changed since.")
    return redirect("delivery:patch-page", project=project.slug, patch=found.pk)


@access.member(Role.ADMIN)
@require_POST
def held_release(request: Request, project: Project) -> HttpResponse:
    if restore_guard.resume_delivery(project, request.user):
        messages.success(request, "What waited is being sent.")
    else:
        messages.info(request, "Nothing was held any more.")
    return redirect("delivery:patch-list", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def patch_leave_out(request: Request, project: Project, patch: int) -> HttpResponse:
    found = patch_of(project, patch)
    if restore_guard.discard_patch(project, found.pk, request.user):
        messages.success(request, f"Delivery {found.pk} is left out: it is not sent.")
    else:
        messages.info(request, f"Delivery {found.pk} was not left out: it is not held any more.")
    return redirect("delivery:held-page", project=project.slug)
