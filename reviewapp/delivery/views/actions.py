"""Actions on deliveries: retry, check now, resolve a drift, resume or discard paused deliveries."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit.recording import record
from reviewapp.delivery import breaker, drift, outbox, restore_guard
from reviewapp.delivery.access import get_patch_or_404, read_patch_ids
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.web.request import Request

# Patches retried per transaction: a save waits for no more than these.
RETRY_BATCH_SIZE = 100


@access.member(Role.LEAD)
@require_POST
def patch_retry(request: Request, project: Project) -> HttpResponse:
    patch_ids, unknown = read_patch_ids(project, request.POST.getlist("patch"))
    if request.POST.get("all") == "parked":
        parked = Patch.objects.filter(project=project, state=State.PARKED).order_by("pk")
        reason = request.POST.get("reason", "")
        parked = parked.filter(reason=reason) if reason in Reason.values else parked
        patch_ids = list(parked.values_list("pk", flat=True))
    count = 0
    for start in range(0, len(patch_ids), RETRY_BATCH_SIZE):
        batch = patch_ids[start : start + RETRY_BATCH_SIZE]
        with transaction.atomic():
            retried = outbox.retry(project, batch, request.user.username)
            if retried:
                record(project, request.user, "retried deliveries", "deliveries", count=retried, patches=batch)
        count += retried
    if count:
        messages.success(request, "Retrying 1 delivery." if count == 1 else f"Retrying {count:,} deliveries.")
    else:
        messages.success(request, "There was nothing to retry.")
    if unknown:
        messages.warning(request, unknown)
    return redirect("delivery:patch-list", project=project.slug)


@access.member(Role.LEAD)
@require_POST
def hold_probe(request: Request, project: Project) -> HttpResponse:
    """Send one push of a project whose breaker is open now."""
    count = breaker.probe(project.pk)
    if count is None:
        messages.info(request, "Pushing has already resumed.")
    elif count:
        messages.success(request, "Trying one delivery now. If Laminar answers, the others follow.")
    else:
        messages.info(request, "No delivery is due right now. The next one is tried when it is due.")
    return redirect("delivery:patch-list", project=project.slug)


@access.member(Role.LEAD)
@require_POST
def patch_read_back(request: Request, project: Project, patch: int) -> HttpResponse:
    row = get_patch_or_404(project, patch)
    if drift.check_now(project, row.pk):
        messages.success(request, "A worker checks Laminar within a few seconds. Reload the page to see the result.")
    else:
        messages.info(request, "Not checked. Only a confirmed delivery can be checked, and this one is not confirmed.")
    return redirect("delivery:patch-page", project=project.slug, patch=row.pk)


@access.member(Role.LEAD)
@require_POST
def patch_push_again(request: Request, project: Project, patch: int) -> HttpResponse:
    row = get_patch_or_404(project, patch)
    new = drift.push_again(project, row, request.user)
    if new is None:
        messages.info(request, "Not pushed. Someone has already pushed these values again, or they have changed since.")
        return redirect("delivery:patch-page", project=project.slug, patch=row.pk)
    messages.success(request, f"Pushing our values again as delivery {new.pk}.")
    return redirect("delivery:patch-page", project=project.slug, patch=new.pk)


@access.member(Role.LEAD)
@require_POST
def patch_leave_theirs(request: Request, project: Project, patch: int) -> HttpResponse:
    row = get_patch_or_404(project, patch)
    if drift.keep_laminar_values(project, row, request.user):
        messages.success(request, "Kept Laminar's values. You will see it here if they change again.")
    else:
        messages.info(request, "Nothing changed. Someone has already decided, or the values have changed since.")
    return redirect("delivery:patch-page", project=project.slug, patch=row.pk)


@access.member(Role.ADMIN)
@require_POST
def paused_release(request: Request, project: Project) -> HttpResponse:
    if restore_guard.resume_delivery(project, request.user):
        messages.success(request, "Delivery resumed. The waiting deliveries are being sent.")
    else:
        messages.info(request, "Delivery was not paused.")
    return redirect("delivery:patch-list", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def patch_leave_out(request: Request, project: Project, patch: int) -> HttpResponse:
    row = get_patch_or_404(project, patch)
    if restore_guard.discard_patch(project, row.pk, request.user):
        messages.success(request, f"Discarded delivery {row.pk}. It will not be sent.")
    else:
        messages.info(request, f"Delivery {row.pk} was not discarded, because it is no longer paused.")
    return redirect("delivery:paused-page", project=project.slug)
