"""Actions on an item other than reviewing it: draft, skip, undo, claim, take over, reopen."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role, User
from reviewapp.audit.recording import record
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import assignments, claiming, skipping
from reviewapp.queues.access import get_item_or_404
from reviewapp.queues.models import ItemState, QueueItem
from reviewapp.reviews import drafts, marking
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.templatetags.reviews import render_diff
from reviewapp.reviews.undoing import CannotUndoError, undo
from reviewapp.reviews.views.workbench import open_next_item, show_item
from reviewapp.reviews.workbench import bind_form, get_latest_review
from reviewapp.web.request import Request

STALE_DRAFT = (
    "The item was reviewed after you opened it, so the draft was not saved. Your text is still in the form and in this"
    " browser. Submit it to see both reviews."
)
CANNOT_UNDO = (
    "It is too late to undo: the review is being sent, or a colleague has opened the item since. Open the item and"
    " submit a new revision."
)
TAKEN = "A colleague opened this item before you. Open another item to go on."
NOT_SKIPPED = "The item was not skipped: a colleague has it, or it was reviewed or skipped after you opened it."
UNKNOWN_SKIP_TARGET = "Nothing was skipped: choose Later for me, For someone else or Skip for everyone."
DRAFT_INCOMPLETE = (
    "Draft not saved: a part of the form did not arrive. Your text is still in the form and in this browser. Reload the"
    " page."
)
DRAFT_TOO_LONG = "Draft not saved: it is too long. Your text is still in the form and in this browser; shorten it."


@access.member(Role.REVIEWER)
@require_POST
def item_draft(request: Request, project: Project, item: int) -> HttpResponse:
    """Save the form as a draft, or delete the draft with `drop`."""
    queue_item = get_item_or_404(project, item)
    if "drop" in request.POST:
        drafts.delete_draft(queue_item, request.user)
        return redirect("reviews:item-review", project=project.slug, item=queue_item.pk)
    error, status = _save_draft(request.user, queue_item, request.POST)
    if not error and queue_item.is_claimed_by_other(request.user):
        # The draft is saved all the same, and the read-only form that is returned shows it.
        return show_item(request, get_item_or_404(project, item), status=409)
    return HttpResponse(error, status=status, content_type="text/plain")


@access.member(Role.REVIEWER)
@require_POST
def item_view(request: Request, project: Project, item: int) -> HttpResponse:
    """Save the form as a draft and open a tab of the trace (`?tab=`): how tabs work without JavaScript.

    With `mark`, the place that it names is marked as the first error; an empty one removes the mark.
    """
    queue_item = get_item_or_404(project, item)
    form_data = marking.apply_mark(queue_item, request.POST)
    has_draft = drafts.get_draft(queue_item, request.user) is not None
    form = None if has_draft else bind_form(queue_item, form_data)
    must_save = form is None or _has_changed(queue_item, request.user, form)
    error, status = _save_draft(request.user, queue_item, form_data) if must_save else ("", 204)
    if error:
        messages.error(request, error)
        return show_item(request, queue_item, form or bind_form(queue_item, form_data), status=status)
    url = reverse("reviews:item-review", args=[project.slug, queue_item.pk])
    place = marking.Mark.parse(request.POST.get(marking.FIELD, "")).address
    return redirect(url + (place or f"?{urlencode({'tab': request.GET.get('tab', '')})}"))


@access.member(Role.REVIEWER)
@require_POST
def item_diff(request: Request, project: Project, item: int) -> HttpResponse:
    """The word diff of the corrected answer to the criterion `?key=`, while it is typed."""
    form = bind_form(get_item_or_404(project, item), request.POST)
    row = next((row for row in form.criterion_rows if row.criterion.key == request.GET.get("key")), None)
    return HttpResponse(render_diff(row.diff) if row and row.diff else "")


@access.member(Role.REVIEWER)
@require_POST
def item_skip(request: Request, project: Project, item: int) -> HttpResponse:
    queue_item = get_item_or_404(project, item)
    target = request.POST.get("for") or skipping.NOBODY
    if target not in skipping.SKIP_TARGETS:
        messages.error(request, UNKNOWN_SKIP_TARGET)
        return redirect("reviews:item-review", project=project.slug, item=queue_item.pk)
    presets, typed = request.POST.getlist("why"), request.POST.getlist("reason")
    reason = ": ".join(part.strip() for part in (*presets, *typed) if part.strip())
    errors = map(skipping.find_reason_error, (presets, typed, [reason]))
    if error := next(filter(None, errors), ""):
        context = {"skip_error": error, "skip_reason": typed[-1] if typed else "", "skip_preset": "".join(presets[-1:])}
        return show_item(request, queue_item, status=422, extra_context=context)
    if not skipping.skip(queue_item, request.user, target, reason):
        messages.error(request, NOT_SKIPPED)
        return redirect("reviews:item-review", project=project.slug, item=queue_item.pk)
    return open_next_item(request, queue_item)


@access.member(Role.REVIEWER)
@require_POST
def item_undo(request: Request, project: Project, item: int) -> HttpResponse:
    """Undo this person's last action on the item: a skip, or else their review."""
    queue_item = get_item_or_404(project, item)
    url = reverse("reviews:item-review", args=[project.slug, queue_item.pk])
    try:
        if not skipping.undo_skip(queue_item, request.user):
            undo(queue_item, request.user)
    except CannotUndoError:
        if request.htmx:
            return HttpResponse(CANNOT_UNDO, status=409, content_type="text/plain")
        messages.error(request, CANNOT_UNDO)
        return redirect(url)
    if not request.htmx:
        return redirect(url)
    response = show_item(request, get_item_or_404(project, item))
    response["HX-Push-Url"] = url
    return response


@access.member(Role.REVIEWER)
@require_POST
def item_claim(request: Request, project: Project, item: int) -> HttpResponse:
    """Claim the item once it is opened, or renew the claim (204); its page (409) if a colleague has claimed it.

    Without JavaScript a button sends this, and both answers lead back to the item.
    """
    queue_item = get_item_or_404(project, item)
    is_open = claiming.claim(queue_item, request.user) or queue_item.state != ItemState.PENDING
    if not request.htmx:
        if not is_open:
            messages.info(request, TAKEN)
        return redirect("reviews:item-review", project=project.slug, item=queue_item.pk)
    if is_open:
        return HttpResponse(status=204)
    return show_item(request, get_item_or_404(project, item), status=409)


@access.member(Role.REVIEWER)
@require_POST
def item_wait(request: Request, project: Project, item: int) -> HttpResponse:
    """No content (204) while only others may answer; then the item's page, claimed if it is still pending."""
    claiming.claim(get_item_or_404(project, item), request.user)
    queue_item = get_item_or_404(project, item)
    if queue_item.is_claimed_by_other(request.user) or assignments.is_reserved(queue_item, request.user):
        return HttpResponse(status=204)
    return show_item(request, queue_item)


@access.member(Role.LEAD)
@require_POST
def item_take_over(request: Request, project: Project, item: int) -> HttpResponse:
    queue_item = get_item_or_404(project, item)
    with transaction.atomic():
        if claiming.take_over(queue_item, request.user):
            record(project, request.user, "took over item", f"item:{queue_item.pk}")
    return redirect("reviews:item-review", project=project.slug, item=queue_item.pk)


@access.member(Role.REVIEWER)
@require_POST
def item_reopen(request: Request, project: Project, item: int) -> HttpResponse:
    queue_item = get_item_or_404(project, item)
    with transaction.atomic():
        if claiming.reopen(queue_item):
            record(project, request.user, "reopened item", f"item:{queue_item.pk}")
    return redirect("reviews:item-review", project=project.slug, item=queue_item.pk)


def _save_draft(user: User, item: QueueItem, form_data: QueryDict) -> tuple[str, int]:
    """Save the form as a draft. Returns the error, empty if it was saved, and the response's status."""
    if "version" not in form_data:
        return DRAFT_INCOMPLETE, 422
    version = parse_int(str(form_data["version"])) or 0
    try:
        is_saved = drafts.save_form(item, user, form_data, version=version)
    except drafts.DraftTooLongError:
        return DRAFT_TOO_LONG, 413
    return ("", 204) if is_saved else (STALE_DRAFT, 409)


def _has_changed(item: QueueItem, user: User, form: ReviewForm) -> bool:
    """Whether the form differs from what it held when it was opened."""
    version = claiming.get_version(item, user)
    opened_form = ReviewForm.for_review(form.rubric, version, get_latest_review(item, user), form.original)
    return form.normalised_values != opened_form.normalised_values
