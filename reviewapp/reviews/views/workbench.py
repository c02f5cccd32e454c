"""The workbench: show an item, save the review, open the next item."""

import logging
from collections.abc import Mapping
from uuid import UUID, uuid4

from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib import canonical_json, failpoints
from reviewapp.lib.database_faults import Fault, find_fault
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import claiming, sessions, skipping
from reviewapp.queues.access import get_item_or_404
from reviewapp.queues.models import QueueItem
from reviewapp.queues.progress import queue_progress
from reviewapp.reviews import personal_data
from reviewapp.reviews.delivery_status import get_delivery_context
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.models import Review, attach_rubrics
from reviewapp.reviews.personal_data import CheckedAnswers
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.rail import open_rail
from reviewapp.reviews.review_filter import ListPlace
from reviewapp.reviews.review_filter import find_place as find_list_place
from reviewapp.reviews.session_push import describe_push
from reviewapp.reviews.submitting import StaleReviewError, submit
from reviewapp.reviews.workbench import bind_form, is_taken_by_colleague, open_workbench
from reviewapp.traces.filters.session import find_place
from reviewapp.traces.reader import spelling
from reviewapp.web.database_error_page import INSUFFICIENT_STORAGE
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

log = logging.getLogger(__name__)

# A longer visit to an item is counted as this long: the tab was left open.
MAX_ACTIVE_SECONDS = 3_600

DATABASE_FULL = (
    "The database cannot save anything right now; its disk may be full. Your answers are still in the form: keep this"
    " page open, tell the operator of the review desk, and submit again when it is fixed."
)

NEWER_TRACE = (
    "A newer trace of this session arrived after you opened the item; it is shown now. Your answers are still in the"
    " form: read it, then submit again."
)


@access.member(Role.REVIEWER)
@require_http_methods(["GET", "POST"])
def item_review(request: Request, project: Project, item: int) -> HttpResponse:
    queue_item = get_item_or_404(project, item)
    if request.method == "POST":
        return _save_review(request, queue_item)
    sessions.move_to_newest(queue_item, request.user)
    return show_item(request, queue_item)


def show_item(
    request: Request,
    item: QueueItem,
    form: ReviewForm | None = None,
    *,
    status: int = 200,
    conflicting_review: Review | None = None,
    previous_item: QueueItem | None = None,
    extra_context: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The item's page; `form` is a refused form to show again, `previous_item` the one just worked on."""
    query = spelling.remember(request.session, request.GET)
    if request.user.preferences.keeps_tab and "tab" in request.session:
        query = {"tab": request.session["tab"]} | query
    workbench = open_workbench(item, request.user, query, form)
    project, place = item.queue.project, find_place(workbench.reader.trace)
    context = {
        "project": project, "section": "queues", "workbench": workbench, "item": item, "queue": item.queue,
        "items_url": _items_url(project),
        "reading": workbench.reader, "trace": workbench.reader.trace, "conflicting_review": conflicting_review,
        "session": place, "push_target": describe_push(item.queue, place),
        "place": _find_list_place(request, item),
        "stays": request.session.get("stays"), "client_id": uuid4(), "skip_reasons": skipping.REASONS,
        "after": parse_int(request.GET.get("after")) if previous_item is None else previous_item.pk,
        # The page claims it by a POST; a prefetched item is claimed when the reviewer gets to it.
        "needs_claim": "Desk-Prefetch" not in request.headers and claiming.needs_claim(item, workbench.version),
        **get_delivery_context(item, workbench.review), **(extra_context or {}),
    }  # fmt: skip
    return render_page(request, "reviews/workbench.html", context, fragment="workbench", status=status)


def open_next_item(request: Request, previous_item: QueueItem) -> HttpResponse:
    """Claim and show the next item; its page also shows how the previous item's review is delivered.

    A browser that has prefetched the next item names it in `Desk-Next`: it gets that one if it is still free, or
    else the next in order, with `Desk-Taken` if a colleague has the other. `Desk-Next: 0` means that the reviewer went
    elsewhere: nothing is claimed or shown (204).
    """
    project, queue = previous_item.queue.project, previous_item.queue
    prefetched = parse_int(request.headers.get("Desk-Next")) if request.htmx else None
    if prefetched == 0:
        return HttpResponse(status=204)
    if prefetched is not None and claiming.claim_by_pk(queue, request.user, prefetched, after=previous_item):
        return _confirm_prefetched(request, project, prefetched, previous_item)
    next_pk = claiming.claim_next(queue, request.user, after=previous_item)
    if next_pk is None:
        return redirect(reverse("reviews:queue-end", args=[project.slug, queue.slug]) + f"?after={previous_item.pk}")
    url = reverse("reviews:item-review", args=[project.slug, next_pk]) + f"?after={previous_item.pk}"
    if not request.htmx:
        return redirect(url)
    item = get_item_or_404(project, next_pk)
    sessions.move_to_newest(item, request.user)
    response = show_item(request, item, previous_item=previous_item)
    response["HX-Push-Url"] = url
    if prefetched is not None and is_taken_by_colleague(queue, prefetched, request.user):
        response["Desk-Taken"] = str(prefetched)
    return response


def _save_review(request: Request, item: QueueItem) -> HttpResponse:
    form = bind_form(item, request.POST)
    if request.POST.get("trace", str(item.trace_id)) != str(item.trace_id):
        return _show_conflict(request, item, form, None)
    if not form.is_valid():
        return show_item(request, item, form, status=422)
    form_data = form.cleaned_data
    checked = personal_data.check_answers(
        form.rubric, form_data["notes"], form.criterion_answers, form_data["personal_data"]
    )
    if checked.needs_decision:
        form.findings = checked.findings
        return show_item(request, item, form, status=422)
    try:
        submit(
            item, request.user, _get_answers(form, checked),
            version=form_data["version"], rubric=form.rubric, client_id=_parse_client_id(request),
            active_seconds=_parse_active_seconds(request),
        )  # fmt: skip
        failpoints.hit("submit.committed")
    except canonical_json.InvalidJSONError as error:
        form.add_error("notes", str(error))
        return show_item(request, item, form, status=422)
    except DatabaseError as error:
        # Any other fault is answered without the database, by `server_fault`.
        if find_fault(error) is not Fault.FULL_OR_READ_ONLY:
            raise
        log.exception("Could not save a review of item %s", item.pk)
        form.add_error(None, DATABASE_FULL)
        return show_item(request, item, form, status=INSUFFICIENT_STORAGE)
    except StaleReviewError as error:
        return _show_conflict(request, item, form, error.latest)
    if checked.findings and not form_data["personal_data"]:
        messages.warning(request, f"{' '.join(checked.findings)} Undo the review if this should not be sent.")
    return _leave_item(request, item)


def _get_answers(form: ReviewForm, checked: CheckedAnswers) -> Answers:
    form_data = form.cleaned_data
    return Answers(
        form_data["score"], checked.notes, form_data["needs_review"], checked.criterion_answers,
        is_unsure=form_data["unsure"], keeps_notes_here=checked.keeps_notes_here, unpushed_keys=checked.unpushed_keys,
    )  # fmt: skip


def _parse_client_id(request: Request) -> UUID | None:
    """The form's id; None if malformed, and the submit is then not de-duplicated."""
    try:
        return UUID(request.POST.get("client_id", ""))
    except ValueError:
        return None


def _find_list_place(request: Request, item: QueueItem) -> ListPlace | None:
    """Where the item stands in the list of reviews that a lead came from, named by `list`."""
    text = request.POST.get("list") or request.GET.get("list")
    if not text or not request.membership.is_lead:
        return None
    return find_list_place(item.queue.project, text, item.pk)


def _parse_active_seconds(request: Request) -> int | None:
    """The seconds that the browser measured, MAX_ACTIVE_SECONDS at most; None if it measured none."""
    seconds = parse_int(request.POST.get("active_seconds"))
    return None if seconds is None else min(seconds, MAX_ACTIVE_SECONDS)


def _leave_item(request: Request, item: QueueItem) -> HttpResponse:
    """Stay at the item or open the next one, as the reviewer chose; the session remembers the choice."""
    stays = bool(request.POST.get("stay"))
    if stays != bool(request.session.get("stays")):
        request.session["stays"] = stays
    if stays:
        return redirect("reviews:item-review", project=item.queue.project.slug, item=item.pk)
    place = _find_list_place(request, item)
    if place is not None:
        return redirect(place.next or reverse("insights:review-audit", args=[item.queue.project.slug]))
    return open_next_item(request, item)


def _show_conflict(request: Request, item: QueueItem, form: ReviewForm, latest: Review | None) -> HttpResponse:
    """Show both reviews. The form is then at the newer version: submitting it again is the reviewer's decision."""
    # Only the fields that a review, a skip or a claim changes, so that the loaded queue stays.
    item.refresh_from_db(fields=["trace_id", "version", "state", "claimed_by", "claimed_until", "completed_at"])
    form = form.at_version(claiming.get_version(item, request.user))
    if latest is None and request.POST.get("trace", str(item.trace_id)) != str(item.trace_id):
        form.add_error(None, NEWER_TRACE)
    elif latest is None:
        form.add_error(None, "The form had a version that the item never had. It is corrected: submit again.")
    else:
        latest.item = item
        attach_rubrics([latest])
    return show_item(request, item, form, status=409, conflicting_review=latest)


def _confirm_prefetched(request: Request, project: Project, pk: int, previous_item: QueueItem) -> HttpResponse:
    """What has changed since the item was prefetched: the queue's progress, and the previous item."""
    item = get_item_or_404(project, pk)
    progress = queue_progress(item.queue)
    context = {
        "project": project, "queue": item.queue, "item": item, "after": previous_item.pk, "out_of_band": True,
        "items_url": _items_url(project),
        "workbench": {"rail": open_rail(item, request.user, progress.total), "progress": progress},
    }  # fmt: skip
    response = render_page(request, "reviews/_rail.html", context)
    response["Desk-Claimed"] = str(pk)
    return response


def _items_url(project: Project) -> str:
    return reverse("reviews:item-review", args=[project.slug, 0]).removesuffix("0/")
