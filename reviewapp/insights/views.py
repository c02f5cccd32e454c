"""Read-only pages: home, a queue's reviews."""

from collections.abc import Iterator
from contextlib import suppress

from django.conf import settings
from django.db.models import Prefetch, prefetch_related_objects
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.audit.recording import record
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.insights.boards import draw_states, get_board
from reviewapp.insights.figures import Scope, count_reviews
from reviewapp.insights.metrics import render as render_metrics
from reviewapp.insights.review_status import get_review_status
from reviewapp.insights.reviews import row_lines, summarise_reviewers
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.lib import trace_ids
from reviewapp.lib.shortening import shorten
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.models import Queue
from reviewapp.queues.progress import progress_by_queue, queue_progress
from reviewapp.reviews.models import Review, attach_rubrics
from reviewapp.reviews.review_filter import Cursor, ReviewFilter, load_page, make_list_text
from reviewapp.reviews.visibility import select_visible
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.filters import saved_views
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import count_traces
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import unreadable
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50
# Deliveries are counted up to here.
MAX_COUNT = 10_000


@access.by_token
@require_safe
def metrics(request: Request) -> HttpResponse:
    """Figures for Prometheus, for whoever has the token of the settings; without one there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404("Metrics are off: METRICS_TOKEN is not set.")
    sent = request.headers.get("Authorization", "").encode()
    if not constant_time_compare(sent, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse("Send METRICS_TOKEN as a bearer token.", status=401, content_type="text/plain")
    return HttpResponse(render_metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")


@access.signed_in
@require_safe
def home(request: Request) -> HttpResponse:
    """The person's projects, or straight to the only one."""
    own_memberships = Membership.objects.filter(user=request.user, is_active=True)
    memberships = list(own_memberships.select_related("project").order_by("project__name"))
    if len(memberships) == 1:
        return redirect("insights:project-home", project=memberships[0].project.slug)
    if not Project.objects.exists():
        return redirect("setup:connect")
    return render_page(request, "insights/projects.html", {"memberships": memberships})


@access.member(Role.REVIEWER)
@require_safe
def project_home(request: Request, project: Project) -> HttpResponse:
    rows, has_more = progress_by_queue(project)
    counts = _count_deliveries(project)
    context = {
        "project": project,
        "section": "home",
        "is_lead": request.membership.is_lead,
        "has_tour": settings.IS_DEMO and not request.session.get("is_tour_dismissed"),
        "rows": rows,
        "has_more_queues": has_more,
        "needs_review_keys": _list_flag_keys(project),
        "confirmed": _format_count(counts[State.CONFIRMED]),
        "delivering": _format_count(counts[State.WAITING] + counts[State.SENDING] + counts[State.ACCEPTED]),
        "parked": _format_count(counts[State.PARKED]),
        "breaker": Breaker.objects.filter(project=project).first(),
        "key": get_active_key(project),
        "needs_review_count": _count_flagged(request, project),
        "own_review_count": count_reviews(Scope(project, reviewer=request.user.username))["reviews"],
        "views": saved_views.visible_to(project, request.user).filter(on_home=True)[: saved_views.MAX_ON_HOME],
        "trace_count": count_traces(FilterView(), project),
        "unreadable_count": unreadable.count_traces(project),
    }
    if request.membership.is_lead:
        context |= get_board(project) | {"states_charts": draw_states(rows)}
    return render_page(request, "insights/home.html", context, fragment="figures")


def _count_deliveries(project: Project) -> dict[State, int]:
    """Deliveries in each state, MAX_COUNT + 1 at most: a project may have confirmed a million."""
    patches = Patch.objects.filter(project=project).order_by()
    return {state: patches.filter(state=state)[: MAX_COUNT + 1].count() for state in State if state != State.SUPERSEDED}


def _format_count(count: int) -> str:
    return f"{MAX_COUNT:,}+" if count > MAX_COUNT else f"{count:,}"


def _list_flag_keys(project: Project) -> list[str]:
    """The metadata keys of the flag: queues may use different ones, and each has a filter link."""
    queues = Queue.objects.active().filter(project=project).order_by()
    return sorted({prefix + key for prefix, key in queues.values_list("key_prefix", "needs_review_key").distinct()})


def _count_flagged(request: Request, project: Project) -> int:
    """The reviews that need review, of those that this person may see: leads see all, which are counted already."""
    if request.membership.is_lead:
        return count_reviews(Scope(project))["flagged"]
    return select_visible(project, request.user).filter(is_latest=True, needs_review=True).count()


@access.member(Role.REVIEWER)
@require_safe
def trace_states(request: Request, project: Project) -> HttpResponse:
    """The review status of the traces in `?trace=`, at most a page of them; htmx gets cells for the trace list."""
    selected_ids = []
    for text in request.GET.getlist("trace")[:PAGE_SIZE]:
        with suppress(trace_ids.InvalidTraceIdError):
            selected_ids.append(trace_ids.parse(text))
    context = {
        "project": project,
        "section": "traces",
        "statuses": get_review_status(project, request.user, selected_ids),
    }
    return render_page(request, "insights/review_status.html", context, fragment="statuses")


@access.member(Role.LEAD)
@require_safe
def review_list(request: Request, project: Project, queue: str | None = None) -> HttpResponse:
    """The project's reviews that match the filter, or those of one queue."""
    review_queue = None if queue is None else get_queue_or_404(project, queue)
    review_filter = ReviewFilter.parse(request.GET, **({"queue": queue} if queue else {}))
    page = load_page(review_filter, project, Cursor.parse(request.GET.get("before", "")))
    revisions = Review.objects.select_related("reviewer", "patch").order_by("-revision")
    prefetch_related_objects(page.reviews, Prefetch("item__reviews", revisions))
    for review in page.reviews:
        for revision in review.item.reviews.all():
            revision.item = review.item
    attach_rubrics(revision for review in page.reviews for revision in (review, *review.item.reviews.all()))
    traces = Trace.objects.filter(project=project, trace_id__in=[review.item.trace_id for review in page.reviews])
    by_trace_id = {trace.trace_id: trace for trace in traces.select_related("excerpt").defer("metadata")}
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "project": project, "section": "queues" if review_queue else "reviews", "queue": review_queue,
        "filter": review_filter, "page": page, "query": query.urlencode(), "states": State.values,
        "rows": [(review, by_trace_id.get(review.item.trace_id), _list_revisions(review),
                  make_list_text(review_filter, review)) for review in page.reviews],
        "reviewers": summarise_reviewers(review_queue) if review_queue else [],
        "progress": queue_progress(review_queue) if review_queue else None,
        "queues": Queue.objects.filter(project=project).order_by("name").only("slug", "name"),
        "people": User.objects.filter(memberships__project=project).order_by("username"),
        "is_continued": "before" in request.GET,
        "views": saved_views.visible_to(project, request.user, SavedView.Subject.REVIEWS),
    }  # fmt: skip
    return render_page(request, "insights/reviews.html", context, fragment="results")


def _list_revisions(review: Review) -> list[Review]:
    """The revisions of a listed review, newest first: of several reviewers of its item, only its own person's."""
    is_shared = not review.item.has_several_reviewers
    return [each for each in review.item.reviews.all() if is_shared or each.reviewer_id == review.reviewer_id]


@access.member(Role.LEAD)
@require_safe
def review_rows(request: Request, project: Project) -> HttpResponseBase:
    """Exactly the rows of the list with the same filter, of all its pages."""
    reviews = ReviewFilter.parse(request.GET).apply(project).filter(is_latest=True)
    _record_export(request, project, f"project:{project.slug}")
    return _send_csv(row_lines(reviews), f"{project.slug}-reviews.csv")


def _record_export(request: Request, project: Project, target: str) -> None:
    record(project, request.user, "exported reviews", target, query=shorten(request.GET.urlencode(), 2_000))


def _send_csv(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = NO_STORE
    return response
