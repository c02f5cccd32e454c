"""Read-only pages over everything: home, a queue's reviews, exports."""

from contextlib import suppress

from django.db.models import Prefetch
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Membership, Project, Role
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.insights.review_status import get_review_status
from reviewapp.insights.reviews import ReviewFilter, csv_lines, summarise_reviewers
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.lib import trace_ids
from reviewapp.lib.numbers import parse_int
from reviewapp.queues.progress import progress_by_queue, queue_progress
from reviewapp.queues.views.queues import get_queue_or_404
from reviewapp.reviews.models import Review, attach_rubrics
from reviewapp.traces.filters import saved_views
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import count_traces
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50


@access.signed_in
@require_safe
def home(request: Request) -> HttpResponse:
    mine = list(Membership.objects.filter(user=request.user).select_related("project").order_by("project__name"))
    if len(mine) == 1:
        return redirect("insights:project-home", project=mine[0].project.slug)
    return render_page(request, "insights/projects.html", {"memberships": mine})


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
        # Each queue may name the key of its flag otherwise: one filter view for each name.
        "flag_keys": sorted({queue.builtin_keys["needs_review"] for queue, _ in rows}),
        "counts": counts,
        "on_the_way": counts[State.WAITING] + counts[State.SENDING] + counts[State.ACCEPTED],
        "breaker": Breaker.objects.filter(project=project).first(),
        "key": get_active_key(project),
        "flagged": latest.filter(needs_review=True).count(),
        "mine": latest.filter(reviewer=request.user).count(),
        "views": saved_views.visible_to(project, request.user).filter(on_home=True)[: saved_views.MAX_ON_HOME],
        "traces": count_traces(FilterView(), project),
    }
    return render_page(request, "insights/home.html", context)


@access.member(Role.REVIEWER)
@require_safe
def trace_states(request: Request, project: Project) -> HttpResponse:
    """The state of review of the traces named in the address, of a page at most; to htmx for the list's own rows."""
    wanted = []
    for text in request.GET.getlist("trace")[:PAGE_SIZE]:
        with suppress(trace_ids.InvalidTraceIdError):
            wanted.append(trace_ids.parse(text))
    context = {"project": project, "section": "traces", "states": get_review_status(project, wanted)}
    return render_page(request, "insights/review_status.html", context, fragment="states")


@access.member(Role.LEAD)
@require_safe
def review_list(request: Request, project: Project, queue: str) -> HttpResponse:
    found = get_queue_or_404(project, queue)
    asked = ReviewFilter.read(request.GET)
    latest = asked.of(found).filter(is_latest=True).order_by("-submitted_at", "-pk")
    number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    revisions = Prefetch("item__reviews", Review.objects.select_related("reviewer", "patch").order_by("-revision"))
    rows = list(latest.prefetch_related(revisions)[(number - 1) * PAGE_SIZE : number * PAGE_SIZE + 1])
    attach_rubrics(one for row in rows for one in (row, *row.item.reviews.all()))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "project": project, "section": "queues", "queue": found, "asked": asked, "count": latest.count(),
        "reviews": rows[:PAGE_SIZE], "has_more": len(rows) > PAGE_SIZE, "page_number": number,
        "query": query.urlencode(),
        "people": summarise_reviewers(found), "progress": queue_progress(found), "states": State.values,
    }  # fmt: skip
    return render_page(request, "insights/reviews.html", context, fragment="results")


@access.member(Role.LEAD)
@require_safe
def review_export(request: Request, project: Project, queue: str) -> HttpResponseBase:
    found = get_queue_or_404(project, queue)
    lines = csv_lines(ReviewFilter.read(request.GET).of(found), found.parsed_criteria)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.slug}-reviews.csv"'
    response["Cache-Control"] = NO_STORE
    return response
