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
from reviewapp.insights.review_status import states_of
from reviewapp.insights.reviews import ReviewFilter, csv_lines, people_of
from reviewapp.keys.laminar_keys import key_in_use
from reviewapp.lib import trace_ids
from reviewapp.lib.numbers import whole
from reviewapp.queues.progress import progress_by_queue, progress_of
from reviewapp.queues.views.queues import queue_of
from reviewapp.reviews.models import Review, give_rubrics
from reviewapp.traces.filters import saved_views
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import count_of
from reviewapp.web.pages import NO_STORE, page
from reviewapp.web.request import Request

PAGE = 50


@access.signed_in
@require_safe
def home(request: Request) -> HttpResponse:
    mine = list(Membership.objects.filter(user=request.user).select_related("project").order_by("project__name"))
    if len(mine) == 1:
        return redirect("insights:project-home", project=mine[0].project.slug)
    return page(request, "insights/projects.html", {"memberships": mine})


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
        "flag_keys": sorted({queue.keys["needs_review"] for queue, _ in rows}),
        "counts": counts,
        "on_the_way": counts[State.WAITING] + counts[State.SENDING] + counts[State.ACCEPTED],
        "breaker": Breaker.objects.filter(project=project).first(),
        "key": key_in_use(project),
        "flagged": latest.filter(needs_review=True).count(),
        "mine": latest.filter(reviewer=request.user).count(),
        "views": saved_views.seen_by(project, request.user).filter(on_home=True)[: saved_views.ON_HOME],
        "traces": count_of(FilterView(), project),
    }
    return page(request, "insights/home.html", context)


@access.member(Role.REVIEWER)
@require_safe
def trace_states(request: Request, project: Project) -> HttpResponse:
    """The state of review of the traces named in the address, of a page at most; to htmx for the list's own rows."""
    wanted = []
    for text in request.GET.getlist("trace")[:PAGE]:
        with suppress(trace_ids.NotATraceId):
            wanted.append(trace_ids.parse(text))
    context = {"project": project, "section": "traces", "states": states_of(project, wanted)}
    return page(request, "insights/review_status.html", context, part="states")


@access.member(Role.LEAD)
@require_safe
def review_list(request: Request, project: Project, queue: str) -> HttpResponse:
    found = queue_of(project, queue)
    asked = ReviewFilter.read(request.GET)
    latest = asked.of(found).filter(is_latest=True).order_by("-submitted_at", "-pk")
    number = whole(request.GET.get("page"), most=100_000) or 1
    revisions = Prefetch("item__reviews", Review.objects.select_related("reviewer", "patch").order_by("-revision"))
    rows = list(latest.prefetch_related(revisions)[(number - 1) * PAGE : number * PAGE + 1])
    give_rubrics(one for row in rows for one in (row, *row.item.reviews.all()))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "project": project, "section": "queues", "queue": found, "asked": asked, "count": latest.count(),
        "reviews": rows[:PAGE], "has_more": len(rows) > PAGE, "page_number": number, "query": query.urlencode(),
        "people": people_of(found), "progress": progress_of(found), "states": State.values,
    }  # fmt: skip
    return page(request, "insights/reviews.html", context, part="results")


@access.member(Role.LEAD)
@require_safe
def review_export(request: Request, project: Project, queue: str) -> HttpResponseBase:
    found = queue_of(project, queue)
    lines = csv_lines(ReviewFilter.read(request.GET).of(found), found.asked)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.slug}-reviews.csv"'
    response["Cache-Control"] = NO_STORE
    return response
