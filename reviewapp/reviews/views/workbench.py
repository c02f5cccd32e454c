"""The workbench: open an item, answer, and have the next one."""

import logging
from uuid import UUID, uuid4

from django.contrib import messages
from django.db import InternalError, OperationalError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.delivery.models import State
from reviewapp.delivery.timeline import TimelineStep, build_timeline, find_overriding_patch, get_block_reason
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.lib import canonical_json, clock, failpoints
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import claiming
from reviewapp.queues.models import QueueItem
from reviewapp.queues.progress import queue_progress
from reviewapp.queues.views.queues import get_queue_or_404
from reviewapp.reviews import personal_data
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.models import Review, attach_rubrics
from reviewapp.reviews.rail import load_rail, queue_position
from reviewapp.reviews.submitting import Answers, StaleReviewError, submit
from reviewapp.reviews.undoing import left_of
from reviewapp.reviews.workbench import form_sent, item_of, latest_of, open_item, reading_for
from reviewapp.traces.models import Trace
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request
from reviewapp.web.views import INSUFFICIENT_STORAGE

# So many items a browser fetches ahead.
AHEAD = 2

log = logging.getLogger(__name__)

PAGE_SIZE = 50
NOT_WRITTEN = (
    "The database does not take anything more just now; its disk may be full. All you typed is still here: keep this"
    " page open, tell whoever runs the review desk, and submit again when they say so."
)


@access.member(Role.REVIEWER)
@require_safe
def review_next(request: Request, project: Project, queue: str) -> HttpResponse:
    item = claiming.claim_next(get_queue_or_404(project, queue), request.user)
    if item is None:
        return redirect("reviews:queue-end", project=project.slug, queue=queue)
    return redirect("reviews:item-review", project=project.slug, item=item)


@access.member(Role.REVIEWER)
@require_safe
def queue_upcoming(request: Request, project: Project, queue: str) -> HttpResponse:
    """The addresses of the two items that this person would be given after `?after=`, as a list."""
    after = parse_int(request.GET.get("after")) or 0
    found = claiming.list_upcoming(get_queue_or_404(project, queue), request.user, after, AHEAD)
    addresses = [reverse("reviews:item-review", args=[project.slug, number]) for number in found]
    return JsonResponse(addresses, safe=False, headers={"Cache-Control": NO_STORE})


@access.member(Role.REVIEWER)
@require_safe
def queue_end(request: Request, project: Project, queue: str) -> HttpResponse:
    found = get_queue_or_404(project, queue)
    held = (
        QueueItem.objects.filter(queue=found, claimed_until__gt=clock.now()).pending().exclude(claimed_by=request.user)
    )
    context = {
        "project": project, "queue": found, "section": "queues",
        "progress": queue_progress(found), "held": held.count(),
        "more": claiming.list_upcoming(found, request.user, 0, 1),
        "after": _left_before(request),
        "mine": Review.objects.filter(item__queue=found, reviewer=request.user, is_latest=True).count(),
    }  # fmt: skip
    return render_page(request, "reviews/queue_end.html", context, fragment="end")


@access.member(Role.REVIEWER)
@require_http_methods(["GET", "POST"])
def item_review(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    if request.method == "POST":
        return _submitted(request, found)
    # Fetched ahead of being read: whoever comes to read it claims it.
    if "Desk-Prefetch" not in request.headers:
        claiming.claim(found, request.user)
    return show(request, found)


@access.member(Role.REVIEWER)
@require_safe
def item_delivery(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    context = {"project": project, "item": found, **_delivery(project, latest_of(found)), "polled": True}
    return render_page(request, "reviews/delivery.html", context, fragment="way")


@access.member(Role.REVIEWER)
@require_safe
def item_left(request: Request, project: Project, item: int) -> HttpResponse:
    """What became of the item just left: how far its review has come, and while it can be, the way to undo it."""
    found = item_of(project, item)
    review = latest_of(found)
    context = {"project": project, "left": left_of(found, review, request.user), **_delivery(project, review)}
    return render_page(request, "reviews/last_item.html", context, fragment="left")


@access.member(Role.REVIEWER)
@require_safe
def item_reading(request: Request, project: Project, item: int) -> HttpResponse:
    found = item_of(project, item)
    reading = reading_for(found, request.GET, request.path)
    trace = reading.trace
    if "waiting" in request.GET and not trace.has_spans:
        return HttpResponse(status=204)
    template = "traces/_reader_fragment.html" if reading.query.is_fragment else "traces/_reader.html"
    return render_page(request, template, {"project": project, "item": found, "reading": reading, "trace": trace})


@access.member(Role.REVIEWER)
@require_safe
def my_reviews(request: Request, project: Project, queue: str) -> HttpResponse:
    found = get_queue_or_404(project, queue)
    mine = Review.objects.filter(item__queue=found, reviewer=request.user, is_latest=True)
    rows = mine.select_related("item", "patch").order_by("-submitted_at", "-pk")
    number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    shown = list(rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE + 1])
    for review in shown:
        review.item.queue = found
    attach_rubrics(shown)
    seen = Trace.objects.filter(project=project, trace_id__in=[review.item.trace_id for review in shown])
    names = dict(seen.values_list("trace_id", "name"))
    context = {
        "project": project, "section": "queues", "queue": found,
        "rows": [(review, names.get(review.item.trace_id)) for review in shown[:PAGE_SIZE]],
        "page_number": number, "has_more": len(shown) > PAGE_SIZE,
    }  # fmt: skip
    return render_page(request, "reviews/my_reviews.html", context)


@access.member(Role.REVIEWER)
@require_safe
def trace_reviews(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    found = Review.objects.filter(item__queue__project=project, item__trace_id=trace_id)
    reviews = list(found.select_related("reviewer", "patch", "item__queue").order_by("-submitted_at", "-pk")[:100])
    attach_rubrics(reviews)
    context = {"project": project, "reviews": reviews, "trace_id": trace_id, "section": "traces"}
    return render_page(request, "reviews/trace_reviews.html", context, fragment="reviews")


def _submitted(request: Request, item: QueueItem) -> HttpResponse:
    form = form_sent(item, request.POST)
    if not form.is_valid():
        return show(request, item, form, status=422)
    said = form.cleaned_data
    weighed = personal_data.weigh(form.rubric, said["notes"], form.criterion_answers, said["personal_data"])
    if weighed.has_to_ask:
        form.findings = weighed.findings
        return show(request, item, form, status=422)
    answers = Answers(
        said["score"], weighed.notes, said["needs_review"], weighed.own,
        is_unsure=said["unsure"], keeps_notes_here=weighed.keeps_notes, unpushed_keys=weighed.kept,
    )  # fmt: skip
    try:
        submit(
            item, request.user, answers,
            version=said["version"], rubric=form.rubric, client_id=_client_id(request),
        )  # fmt: skip
        failpoints.hit("submit.committed")
    except canonical_json.InvalidJSONError as error:
        form.add_error("notes", str(error))
        return show(request, item, form, status=422)
    except (OperationalError, InternalError):
        log.exception("a review of item %s was not saved", item.pk)
        form.add_error(None, NOT_WRITTEN)
        return show(request, item, form, status=INSUFFICIENT_STORAGE)
    except StaleReviewError as stale:
        return _conflict(request, item, form, stale.latest)
    if weighed.findings and not said["personal_data"]:
        messages.warning(request, f"{' '.join(weighed.findings)} Undo, if that should not be sent.")
    if bool(request.POST.get("stay")) != bool(request.session.get("stays")):
        request.session["stays"] = bool(request.POST.get("stay"))
    if request.POST.get("stay"):
        return redirect("reviews:item-review", project=item.queue.project.slug, item=item.pk)
    return go_on(request, item)


def _conflict(request: Request, item: QueueItem, form: ReviewForm, latest: Review | None) -> HttpResponse:
    """Show both texts, where there are two. The form then stands on the newer version: to submit is a decision."""
    # Only what a review, a skip or a claim changes: the queue at hand stays.
    item.refresh_from_db(fields=["version", "state", "claimed_by", "claimed_until", "completed_at"])
    form = form.moved_to(item.version)
    if latest is None:
        form.add_error(None, "The form did not fit the item's state. It does now: submit again.")
    else:
        latest.item = item
        attach_rubrics([latest])
    return show(request, item, form, status=409, theirs=latest)


def go_on(request: Request, left: QueueItem) -> HttpResponse:
    """Go on with the next item; its page also shows how the one just left is delivered.

    A browser that has fetched the next item ahead names it in `Desk-Next`: it gets that one, or else another as
    everybody does. With 0 there it has gone elsewhere already, and gets none.
    """
    project, queue = left.queue.project, left.queue
    wanted = parse_int(request.headers.get("Desk-Next")) if request.htmx else None
    if wanted == 0:
        return HttpResponse(status=204)
    if wanted is not None and claiming.claim_by_pk(queue, request.user, wanted, after=left):
        return _claimed(request, project, wanted, left)
    number = claiming.claim_next(queue, request.user, after=left)
    if number is None:
        return redirect(reverse("reviews:queue-end", args=[project.slug, queue.slug]) + f"?after={left.pk}")
    where = reverse("reviews:item-review", args=[project.slug, number]) + f"?after={left.pk}"
    if not request.htmx:
        return redirect(where)
    response = show(request, item_of(project, number), after=left)
    response["HX-Push-Url"] = where
    return response


def _claimed(request: Request, project: Project, number: int, left: QueueItem) -> HttpResponse:
    """What is new on a page that was fetched ahead: how far the queue is, and how the item just left is delivered."""
    item = item_of(project, number)
    context = {
        "project": project, "queue": item.queue, "item": item, "after": left.pk, "out_of_band": True,
        "items_url": _items_url(project),
        "bench": {
            "rail": load_rail(item, request.user), "position": queue_position(item),
            "progress": queue_progress(item.queue),
        },
    }  # fmt: skip
    response = render_page(request, "reviews/_claimed.html", context)
    response["Desk-Claimed"] = str(number)
    return response


def show(
    request: Request,
    item: QueueItem,
    form: ReviewForm | None = None,
    *,
    status: int = 200,
    theirs: Review | None = None,
    after: QueueItem | None = None,
) -> HttpResponse:
    bench = open_item(item, request.user, request.GET, form)
    project = item.queue.project
    context = {
        "project": project, "section": "queues", "bench": bench, "item": item, "queue": item.queue,
        "items_url": _items_url(project),
        "reading": bench.reading, "trace": bench.reading.trace, "theirs": theirs,
        "stays": request.session.get("stays"), "client_id": uuid4(),
        "after": after.pk if after is not None else _left_before(request),
        **_delivery(project, bench.review),
    }  # fmt: skip
    return render_page(request, "reviews/workbench.html", context, fragment="bench", status=status)


def _items_url(project: Project) -> str:
    return reverse("reviews:item-review", args=[project.slug, 0]).removesuffix("0/")


def _client_id(request: Request) -> UUID | None:
    """The mark that the form was given; None for one that is none, which costs it nothing but being known again."""
    try:
        return UUID(request.POST.get("client_id", ""))
    except ValueError:
        return None


def _left_before(request: Request) -> int | None:
    return parse_int(request.GET.get("after"))


def _delivery(project: Project, review: Review | None) -> dict[str, object]:
    if review is None:
        return {"review": None}
    key = get_active_key(project)
    can_read = key is not None and key.can_read
    patch = review.patch
    while patch.state == State.SUPERSEDED and patch.superseded_by is not None:
        patch = patch.superseded_by
    is_final = patch.state in (State.CONFIRMED, State.PARKED, State.SUPERSEDED) or (
        patch.state == State.ACCEPTED and key is not None and not key.can_read
    )
    way = build_timeline(
        patch,
        can_read=can_read,
        saved_at=review.submitted_at,
        is_replaced=patch != review.patch,
        block_reason=get_block_reason(patch),
    )
    if later := find_overriding_patch(patch):
        way.append(TimelineStep(f"other answers since, {later.source}", "look", later.created_at))
    return {"review": review, "patch": patch, "is_final": is_final, "way": way}
