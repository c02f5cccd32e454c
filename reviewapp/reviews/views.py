"""The workbench: open an item, answer, and have the next one."""

import logging
from uuid import UUID

from django.db import OperationalError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit.recording import record
from reviewapp.delivery.models import State
from reviewapp.keys.holding import key_in_use
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.numbers import whole
from reviewapp.queues import claiming
from reviewapp.queues.models import QueueItem
from reviewapp.queues.progress import progress_of
from reviewapp.queues.views import queue_of
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.models import Review
from reviewapp.reviews.submitting import Answers, Stale, submit
from reviewapp.reviews.workbench import item_of, latest_of, open_item, trace_of
from reviewapp.traces.reading import reading_of
from reviewapp.web.pages import page
from reviewapp.web.request import Request
from reviewapp.web.views import INSUFFICIENT_STORAGE

log = logging.getLogger(__name__)

NOT_WRITTEN = (
    "The database does not take anything more just now; its disk may be full. All you typed is still here: keep this"
    " page open, tell whoever runs the review desk, and submit again when they say so."
)


@access.member(Role.REVIEWER)
@require_safe
def review_next(request: Request, project: Project, queue: str) -> HttpResponse:
    item = claiming.claim_next(queue_of(project, queue), request.user)
    if item is None:
        return redirect("reviews:queue-end", project=project.slug, queue=queue)
    return redirect("reviews:item-review", project=project.slug, item=item)


@access.member(Role.REVIEWER)
@require_safe
def queue_end(request: Request, project: Project, queue: str) -> HttpResponse:
    found = queue_of(project, queue)
    held = (
        QueueItem.objects.filter(queue=found, claimed_until__gt=clock.now()).pending().exclude(claimed_by=request.user)
    )
    context = {
        "project": project, "queue": found, "section": "queues",
        "progress": progress_of(found), "held": held.count(),
        "mine": Review.objects.filter(item__queue=found, reviewer=request.user, is_latest=True).count(),
    }  # fmt: skip
    return page(request, "reviews/end.html", context, part="end")


@access.member(Role.REVIEWER)
@require_http_methods(["GET", "POST"])
def item_review(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    if request.method == "POST":
        return _submitted(request, found)
    claiming.claim(found, request.user)
    return _show(request, found)


@access.member(Role.REVIEWER)
@require_POST
def item_skip(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    with transaction.atomic():
        if claiming.skip(found, request.user):
            record(project, request.user, "skipped item", f"item:{found.pk}")
    return _next(request, found)


@access.member(Role.REVIEWER)
@require_POST
def item_reopen(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    with transaction.atomic():
        if claiming.reopen(found):
            record(project, request.user, "reopened item", f"item:{found.pk}")
    return redirect("reviews:item-review", project=project.slug, item=found.pk)


@access.member(Role.REVIEWER)
@require_safe
def item_delivery(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    context = {"project": project, "item": found, **_delivery(project, latest_of(found)), "polled": True}
    return page(request, "reviews/delivery.html", context, part="way")


@access.member(Role.REVIEWER)
@require_safe
def item_reading(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    trace = trace_of(found)
    if "waiting" in request.GET and not trace.is_here:
        return HttpResponse(status=204)
    reading = reading_of(trace, request.GET.get("tab"))
    return page(
        request, "traces/_reading.html", {"project": project, "item": found, "reading": reading, "trace": trace}
    )


@access.member(Role.REVIEWER)
@require_safe
def trace_reviews(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    found = Review.objects.filter(item__queue__project=project, item__trace_id=trace_id)
    reviews = found.select_related("reviewer", "patch", "item__queue").order_by("-submitted_at", "-pk")
    context = {"project": project, "reviews": reviews[:100], "trace_id": trace_id, "section": "traces"}
    return page(request, "reviews/of_trace.html", context, part="reviews")


def _submitted(request: Request, item: QueueItem) -> HttpResponse:
    form = ReviewForm(item.queue, request.POST)
    if not form.is_valid():
        return _show(request, item, form, status=422)
    said = form.cleaned_data
    answers = Answers(said["score"], said["notes"], said["needs_review"])
    try:
        submit(item, request.user, answers, version=said["version"])
    except canonical_json.NotCanonical as error:
        form.add_error("notes", str(error))
        return _show(request, item, form, status=422)
    except OperationalError:
        log.exception("a review of item %s was not saved", item.pk)
        form.add_error(None, NOT_WRITTEN)
        return _show(request, item, form, status=INSUFFICIENT_STORAGE)
    except Stale as stale:
        return _conflict(request, item, form, stale.latest)
    return _next(request, item)


def _conflict(request: Request, item: QueueItem, form: ReviewForm, latest: Review | None) -> HttpResponse:
    """Show both texts, where there are two. The form then stands on the newer version: to submit is a decision."""
    item.refresh_from_db()
    item.queue.project = request.membership.project
    form = ReviewForm(item.queue, {**form.typed, "version": str(item.version)})
    if latest is None:
        form.add_error(None, "The form did not fit the item's state. It does now: submit again.")
    return _show(request, item, form, status=409, theirs=latest)


def _next(request: Request, left: QueueItem) -> HttpResponse:
    """Go on with the next item; its page also shows how the one just left is delivered."""
    project, queue = left.queue.project, left.queue
    number = claiming.claim_next(queue, request.user, after=left)
    if number is None:
        return redirect("reviews:queue-end", project=project.slug, queue=queue.slug)
    where = reverse("reviews:item-review", args=[project.slug, number]) + f"?after={left.pk}"
    if not request.htmx:
        return redirect(where)
    response = _show(request, item_of(project, number), after=left)
    response["HX-Push-Url"] = where
    return response


def _show(
    request: Request,
    item: QueueItem,
    form: ReviewForm | None = None,
    *,
    status: int = 200,
    theirs: Review | None = None,
    after: QueueItem | None = None,
) -> HttpResponse:
    bench = open_item(item, request.user, request.GET.get("tab"), form)
    project = item.queue.project
    context = {
        "project": project, "section": "queues", "bench": bench, "item": item, "queue": item.queue,
        "items_url": reverse("reviews:item-review", args=[project.slug, 0]).removesuffix("0/"),
        "reading": bench.reading, "trace": bench.reading.trace, "theirs": theirs,
        "after": after.pk if after is not None else _left_before(request),
        **_delivery(project, bench.review),
    }  # fmt: skip
    return page(request, "reviews/workbench.html", context, part="bench", status=status)


def _left_before(request: Request) -> int | None:
    return whole(request.GET.get("after"))


def _delivery(project: Project, review: Review | None) -> dict[str, object]:
    if review is None:
        return {"review": None}
    key = key_in_use(project)
    patch = review.patch
    while patch.state == State.SUPERSEDED and patch.superseded_by is not None:
        patch = patch.superseded_by
    is_final = patch.state in (State.CONFIRMED, State.PARKED) or (
        patch.state == State.ACCEPTED and key is not None and not key.can_read
    )
    return {"review": review, "patch": patch, "is_final": is_final, "can_read": key is not None and key.can_read}
