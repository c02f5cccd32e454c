"""A reviewer's pages of a queue: the next item, the end, and their own reviews."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib import clock
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import claiming
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.models import QueueItem
from reviewapp.queues.progress import queue_progress
from reviewapp.reviews.models import Review, attach_rubrics
from reviewapp.reviews.own_work import list_drafts, load_own_work
from reviewapp.traces.models import Trace
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

# Items that a browser prefetches.
PREFETCH_COUNT = 2
PAGE_SIZE = 50


@access.member(Role.REVIEWER)
@require_safe
def review_next(request: Request, project: Project, queue: str) -> HttpResponse:
    """Redirect to the next item, whose page claims it."""
    item = claiming.find_next(get_queue_or_404(project, queue), request.user)
    if item is None:
        return redirect("reviews:queue-end", project=project.slug, queue=queue)
    return redirect("reviews:item-review", project=project.slug, item=item)


@access.member(Role.REVIEWER)
@require_safe
def queue_upcoming(request: Request, project: Project, queue: str) -> HttpResponse:
    """The URLs of the items that this person would get after `?after=`, as a JSON list; nothing is claimed.

    None with `?list`: whoever goes through a list of reviews gets what is next there.
    """
    if "list" in request.GET:
        return JsonResponse([], safe=False, headers={"Cache-Control": NO_STORE})
    after = parse_int(request.GET.get("after")) or 0
    items = claiming.list_upcoming(get_queue_or_404(project, queue), request.user, after, PREFETCH_COUNT)
    urls = [reverse("reviews:item-review", args=[project.slug, pk]) for pk in items]
    return JsonResponse(urls, safe=False, headers={"Cache-Control": NO_STORE})


@access.member(Role.REVIEWER)
@require_safe
def queue_item_at(request: Request, project: Project, queue: str) -> HttpResponse:
    """Redirect to the item at `?position=`, counted from 1; to the last one from a position behind it."""
    items = QueueItem.objects.filter(queue=get_queue_or_404(project, queue)).only("pk")
    position = max(1, parse_int(request.GET.get("position"), max_value=10**9) or 1)
    item = items.in_order()[position - 1 : position].first() or items.order_by("priority", "-pk").first()
    if item is None:
        return redirect("reviews:queue-end", project=project.slug, queue=queue)
    return redirect("reviews:item-review", project=project.slug, item=item.pk)


@access.member(Role.REVIEWER)
@require_safe
def queue_end(request: Request, project: Project, queue: str) -> HttpResponse:
    """Why there is no next item: the queue is empty, all reviewed, or what remains is not for this person."""
    review_queue = get_queue_or_404(project, queue)
    claimed = QueueItem.objects.filter(queue=review_queue, claimed_until__gt=clock.now()).pending()
    work = load_own_work(review_queue, request.user)
    context = {
        "project": project, "queue": review_queue, "section": "queues",
        "progress": queue_progress(review_queue),
        "claimed_by_others": claimed.exclude(claimed_by=request.user).count(),
        "has_more": claiming.list_upcoming(review_queue, request.user, 0, 1),
        "after": parse_int(request.GET.get("after")),
        "work": work, "own_review_count": work.review_count,
    }  # fmt: skip
    return render_page(request, "reviews/queue_end.html", context, fragment="end")


@access.member(Role.REVIEWER)
@require_safe
def my_reviews(request: Request, project: Project, queue: str) -> HttpResponse:
    """This person's reviews in the queue, newest first."""
    review_queue = get_queue_or_404(project, queue)
    own_reviews = Review.objects.filter(item__queue=review_queue, reviewer=request.user, is_latest=True)
    own_reviews = own_reviews.select_related("item", "patch").order_by("-submitted_at", "-pk")
    page_number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    reviews = list(own_reviews[(page_number - 1) * PAGE_SIZE : page_number * PAGE_SIZE + 1])
    for review in reviews:
        review.item.queue = review_queue
    attach_rubrics(reviews)
    traces = Trace.objects.filter(project=project, trace_id__in=[review.item.trace_id for review in reviews])
    trace_names = dict(traces.values_list("trace_id", "name"))
    context = {
        "project": project, "section": "queues", "queue": review_queue,
        "rows": [(review, trace_names.get(review.item.trace_id)) for review in reviews[:PAGE_SIZE]],
        "page_number": page_number, "has_more": len(reviews) > PAGE_SIZE,
        "drafts": list_drafts(review_queue, request.user),
    }  # fmt: skip
    return render_page(request, "reviews/my_reviews.html", context)
