"""Read-only pages: home, a queue's reviews, exports."""

from contextlib import suppress

from django.conf import settings
from django.db.models import Prefetch
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Membership, Project, Role
from reviewapp.audit.recording import record
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.insights.metrics import render as render_metrics
from reviewapp.insights.review_status import get_review_status
from reviewapp.insights.reviews import ReviewFilter, csv_lines, summarise_reviewers
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.lib import trace_ids
from reviewapp.lib.numbers import parse_int
from reviewapp.lib.shortening import shorten
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.progress import progress_by_queue, queue_progress
from reviewapp.reviews.models import Review, attach_rubrics
from reviewapp.traces.filters import saved_views
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import count_traces
from reviewapp.traces.sync import unreadable
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50


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
    return render_page(request, "insights/projects.html", {"memberships": memberships})


@access.member(Role.REVIEWER)
@require_safe
def project_home(request: Request, project: Project) -> HttpResponse:
    latest = Review.objects.filter(item__queue__project=project, is_latest=True)
    counts = Patch.objects.filter(project=project).by_state()
    rows = progress_by_queue(project)
    context = {
        "project": project,
        "section": "home",
        "rows": rows,
        # Queues may use different metadata keys for the flag: one filter link for each key.
        "needs_review_keys": sorted({queue.builtin_keys["needs_review"] for queue, _ in rows}),
        "counts": counts,
        "delivering_count": counts[State.WAITING] + counts[State.SENDING] + counts[State.ACCEPTED],
        "breaker": Breaker.objects.filter(project=project).first(),
        "key": get_active_key(project),
        "needs_review_count": latest.filter(needs_review=True).count(),
        "own_review_count": latest.filter(reviewer=request.user).count(),
        "views": saved_views.visible_to(project, request.user).filter(on_home=True)[: saved_views.MAX_ON_HOME],
        "trace_count": count_traces(FilterView(), project),
        "unreadable_count": unreadable.count_traces(project),
    }
    return render_page(request, "insights/home.html", context)


@access.member(Role.REVIEWER)
@require_safe
def trace_states(request: Request, project: Project) -> HttpResponse:
    """The review status of the traces in `?trace=`, at most a page of them; htmx gets cells for the trace list."""
    selected_ids = []
    for text in request.GET.getlist("trace")[:PAGE_SIZE]:
        with suppress(trace_ids.InvalidTraceIdError):
            selected_ids.append(trace_ids.parse(text))
    context = {"project": project, "section": "traces", "statuses": get_review_status(project, selected_ids)}
    return render_page(request, "insights/review_status.html", context, fragment="statuses")


@access.member(Role.LEAD)
@require_safe
def review_list(request: Request, project: Project, queue: str) -> HttpResponse:
    review_queue = get_queue_or_404(project, queue)
    review_filter = ReviewFilter.parse(request.GET)
    latest = review_filter.apply(review_queue).filter(is_latest=True).order_by("-submitted_at", "-pk")
    page_number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    revisions = Prefetch("item__reviews", Review.objects.select_related("reviewer", "patch").order_by("-revision"))
    reviews = list(latest.prefetch_related(revisions)[(page_number - 1) * PAGE_SIZE : page_number * PAGE_SIZE + 1])
    attach_rubrics(revision for review in reviews for revision in (review, *review.item.reviews.all()))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "project": project, "section": "queues", "queue": review_queue, "filter": review_filter,
        "count": latest.count(), "reviews": reviews[:PAGE_SIZE], "has_more": len(reviews) > PAGE_SIZE,
        "page_number": page_number, "query": query.urlencode(), "reviewers": summarise_reviewers(review_queue),
        "progress": queue_progress(review_queue), "states": State.values,
    }  # fmt: skip
    return render_page(request, "insights/reviews.html", context, fragment="results")


@access.member(Role.LEAD)
@require_safe
def review_export(request: Request, project: Project, queue: str) -> HttpResponseBase:
    review_queue = get_queue_or_404(project, queue)
    lines = csv_lines(ReviewFilter.parse(request.GET).apply(review_queue), review_queue.parsed_criteria)
    query = shorten(request.GET.urlencode(), 2_000)
    record(project, request.user, "exported reviews", f"queue:{review_queue.slug}", query=query)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{review_queue.slug}-reviews.csv"'
    response["Cache-Control"] = NO_STORE
    return response
