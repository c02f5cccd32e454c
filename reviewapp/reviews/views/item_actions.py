"""What one does at an item beside answering it: skip, undo, keep, take over, reopen, draft."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit.recording import record
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import claiming, skipping
from reviewapp.queues.models import ItemState, QueueItem
from reviewapp.reviews import drafts
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.templatetags.reviews import render_diff
from reviewapp.reviews.undoing import CannotUndoError, undo
from reviewapp.reviews.views.workbench import go_on, show
from reviewapp.reviews.workbench import form_sent, item_of, latest_of
from reviewapp.web.request import Request

DRAFT_PASSED = (
    "The item was reviewed since you opened it, so the draft is not saved here. Your text stays in the form and in"
    " this browser: submit it, and you are shown both."
)
TOO_LATE = (
    "It is too late to undo: the review is on its way, or a colleague has gone on with the item. Open the item and"
    " submit a new revision."
)
NOT_SKIPPED = "The item was not skipped: a colleague has it, or it was reviewed or left out since you opened it."
DRAFT_TOO_LONG = "This is too long to be saved as a draft. It stays in the form and in this browser: shorten it."


@access.member(Role.REVIEWER)
@require_POST
def item_draft(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    if "drop" in request.POST:
        drafts.delete_draft(found, request.user)
        return redirect("reviews:item-review", project=project.slug, item=found.pk)
    fault, status = _kept(request, found)
    if not fault and found.is_claimed_by_other(request.user):
        # The draft is kept all the same, and stands in the form that comes back, which is closed.
        return show(request, item_of(project, item), status=409)
    return HttpResponse(fault, status=status, content_type="text/plain")


@access.member(Role.REVIEWER)
@require_POST
def item_view(request: Request, project: Project, item: int) -> HttpResponse:
    """Another view of the trace (`?tab=`), what was typed kept as a draft: how its tabs work without JavaScript."""
    found = item_of(project, item)
    form = form_sent(found, request.POST) if drafts.get_draft(found, request.user) is None else None
    fault, status = _kept(request, found) if form is None or _is_touched(found, form) else ("", 204)
    if fault:
        messages.error(request, fault)
        return show(request, found, form or form_sent(found, request.POST), status=status)
    where = reverse("reviews:item-review", args=[project.slug, found.pk])
    return redirect(f"{where}?{urlencode({'tab': request.GET.get('tab', '')})}")


@access.member(Role.REVIEWER)
@require_POST
def item_diff(request: Request, project: Project, item: int) -> HttpResponse:
    """What the corrected answer to the criterion `?key=` changes as it is typed, word by word."""
    form = form_sent(item_of(project, item), request.POST)
    row = next((row for row in form.criterion_rows if row.criterion.key == request.GET.get("key")), None)
    return HttpResponse(render_diff(row.diff) if row and row.diff else "")


def _kept(request: Request, item: QueueItem) -> tuple[str, int]:
    """Keep the form as a draft: why it was not, if so, and the status that says so."""
    try:
        is_kept = drafts.save_form(
            item, request.user, request.POST, version=parse_int(request.POST.get("version")) or 0
        )
    except drafts.TooLong:
        return DRAFT_TOO_LONG, 413
    return ("", 204) if is_kept else (DRAFT_PASSED, 409)


def _is_touched(item: QueueItem, form: ReviewForm) -> bool:
    """Whether the form differs from what it held when it was opened."""
    opened = ReviewForm.on(form.rubric, item.version, latest_of(item), form.original)
    return form.said != opened.said


@access.member(Role.REVIEWER)
@require_POST
def item_skip(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    whom = request.POST.get("for") or skipping.NOBODY
    if whom not in skipping.SKIP_TARGETS:
        messages.error(request, "Nothing was skipped: choose later, for somebody else, or for nobody.")
        return redirect("reviews:item-review", project=project.slug, item=found.pk)
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:300]
    if not skipping.skip(found, request.user, whom, reason):
        messages.error(request, NOT_SKIPPED)
        return redirect("reviews:item-review", project=project.slug, item=found.pk)
    return go_on(request, found)


@access.member(Role.REVIEWER)
@require_POST
def item_undo(request: Request, project: Project, item: int) -> HttpResponse:
    """Take back what this person did last at the item: a skip, or else their review of it."""
    found = item_of(project, item)
    where = reverse("reviews:item-review", args=[project.slug, found.pk])
    try:
        if not skipping.undo_skip(found, request.user):
            undo(found, request.user)
    except CannotUndoError:
        if request.htmx:
            return HttpResponse(TOO_LATE, status=409, content_type="text/plain")
        messages.error(request, TOO_LATE)
        return redirect(where)
    if not request.htmx:
        return redirect(where)
    response = show(request, item_of(project, item))
    response["HX-Push-Url"] = where
    return response


@access.member(Role.REVIEWER)
@require_POST
def item_claim(request: Request, project: Project, item: int) -> HttpResponse:
    """Keep an item that one reads; its page says so when a colleague has it."""
    found = item_of(project, item)
    if claiming.claim(found, request.user) or found.state != ItemState.PENDING:
        return HttpResponse(status=204)
    return show(request, item_of(project, item), status=409)


@access.member(Role.REVIEWER)
@require_POST
def item_wait(request: Request, project: Project, item: int) -> HttpResponse:
    """The item's page once no colleague holds it any more, claimed where it can be; until then nothing (204)."""
    claiming.claim(item_of(project, item), request.user)
    found = item_of(project, item)
    return HttpResponse(status=204) if found.is_claimed_by_other(request.user) else show(request, found)


@access.member(Role.LEAD)
@require_POST
def item_take_over(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    with transaction.atomic():
        if claiming.take_over(found, request.user):
            record(project, request.user, "took over item", f"item:{found.pk}")
    return redirect("reviews:item-review", project=project.slug, item=found.pk)


@access.member(Role.REVIEWER)
@require_POST
def item_reopen(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    with transaction.atomic():
        if claiming.reopen(found):
            record(project, request.user, "reopened item", f"item:{found.pk}")
    return redirect("reviews:item-review", project=project.slug, item=found.pk)
