"""Where a lead sees every push: what waits, what went wrong, and what to do about it."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.setters import settings_of
from reviewapp.keys.holding import key_in_use
from reviewapp.lib.numbers import whole
from reviewapp.traces import wish
from reviewapp.traces.entries import portion
from reviewapp.traces.models import Trace
from reviewapp.web.pages import page
from reviewapp.web.request import Request

PAGE = 50
# Sent again in one transaction: a save waits for no more than these.
AT_ONCE = 100


@access.member(Role.LEAD)
@require_safe
def patch_list(request: Request, project: Project) -> HttpResponse:
    patches = Patch.objects.filter(project=project).order_by("-pk")
    state, before = request.GET.get("state", ""), whole(request.GET.get("before"))
    if state in State.values:
        patches = patches.filter(state=state)
    if before is not None:
        patches = patches.filter(pk__lt=before)
    rows = list(patches[: PAGE + 1])
    ours = Patch.objects.filter(project=project)
    context = {
        "project": project,
        "section": "deliveries",
        "patches": rows[:PAGE],
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "state": state,
        "counts": ours.by_state(),
        "oldest": ours.filter(state=State.WAITING).order_by("created_at").first(),
        "breaker": Breaker.objects.filter(project=project).first(),
        "key": key_in_use(project),
    }
    return page(request, "delivery/list.html", context, part="patches")


@access.member(Role.LEAD)
@require_safe
def patch_page(request: Request, project: Project, patch: int) -> HttpResponse:
    found = Patch.objects.filter(project=project, pk=patch).first()
    if found is None:
        raise Http404("There is no such delivery in this project.")
    context = {
        "project": project,
        "section": "deliveries",
        "patch": found,
        "attempts": found.attempts.order_by("-pk")[:100],
    }
    return page(request, "delivery/patch.html", context)


@access.member(Role.REVIEWER)
@require_safe
def trace_settings(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    trace = Trace.objects.filter(project=project, trace_id=trace_id).first()
    if trace is None:
        raise Http404("This trace is not in the mirror. Queue it, and it is pulled from Laminar.")
    trace.project = project
    wanted = portion(settings_of(trace), wish.read(request.GET))
    context = {"project": project, "section": "traces", "trace": trace, "portion": wanted}
    return page(request, "delivery/setters.html", context, part="setters")


@access.member(Role.LEAD)
@require_POST
def patch_retry(request: Request, project: Project) -> HttpResponse:
    chosen = sorted(number for text in request.POST.getlist("patch") if (number := whole(text)) is not None)
    if request.POST.get("all") == "parked":
        parked = Patch.objects.filter(project=project, state=State.PARKED).order_by("pk")
        chosen = list(parked.values_list("pk", flat=True))
    count = 0
    for start in range(0, len(chosen), AT_ONCE):
        part = chosen[start : start + AT_ONCE]
        with transaction.atomic():
            sent = outbox.retry(project, part, request.user.username)
            if sent:
                record(project, request.user, "retried deliveries", "deliveries", count=sent, patches=part)
        count += sent
    messages.success(request, f"{count} sent again." if count else "Nothing was waiting to be sent again.")
    return redirect("delivery:patch-list", project=project.slug)
