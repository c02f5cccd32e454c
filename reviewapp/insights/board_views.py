"""Pages for leads to watch: the figures of a queue, and the rows behind each figure."""

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.delivery.models import Patch
from reviewapp.insights.boards import get_board, get_lines
from reviewapp.insights.figures import FIGURES, Scope
from reviewapp.lib.numbers import parse_decimal, parse_int
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.counting import is_counting
from reviewapp.reviews.models import Review
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50
# Rows are counted up to here: whoever wants to see more of them narrows them first.
MAX_COUNT = 10_000


@access.member(Role.LEAD)
@require_safe
def queue_figures(request: Request, project: Project, queue: str) -> HttpResponse:
    """The figures of a queue; with `summary`, htmx gets the lines alone, for the queue's board."""
    instance = get_queue_or_404(project, queue)
    context = {"project": project, "section": "queues", "queue": instance}
    if "summary" in request.GET and request.htmx:
        context |= {"lines": get_lines(Scope(project, instance)), "is_counting": is_counting(project)}
        return render_page(request, "insights/_summary.html", context)
    return render_page(request, "insights/figures.html", context | get_board(project, instance), fragment="figures")


@access.member(Role.LEAD)
@require_safe
def figure_rows(request: Request, project: Project, figure: str) -> HttpResponse:
    """The rows that a figure counts."""
    if figure not in FIGURES:
        raise Http404("There is no such figure.")
    slug = request.GET.get("queue", "")
    scope = Scope(
        project,
        get_queue_or_404(project, slug) if slug else None,
        request.GET.get("person", "").replace("\x00", ""),
        parse_decimal(request.GET.get("from", "")),
        parse_decimal(request.GET.get("to", "")),
    )
    rows = _in_order(FIGURES[figure].rows(scope))
    page_number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    shown = list(rows[(page_number - 1) * PAGE_SIZE : page_number * PAGE_SIZE + 1])
    count = rows.order_by()[: MAX_COUNT + 1].count()
    context = {
        "project": project, "section": "queues", "queue": scope.queue, "scope": scope, "figure": FIGURES[figure],
        "kind": rows.model.__name__, "rows": shown[:PAGE_SIZE], "has_more": len(shown) > PAGE_SIZE,
        "page_number": page_number, "count": min(count, MAX_COUNT), "is_cut": count > MAX_COUNT,
    }  # fmt: skip
    return render_page(request, "insights/figure_rows.html", context)


def _in_order(rows: QuerySet[QueueItem] | QuerySet[Review] | QuerySet[Patch]) -> QuerySet[QueueItem | Review | Patch]:
    """Items in the order of their queues, reviews and deliveries newest first, with what the page shows of them."""
    if rows.model is QueueItem:
        return rows.select_related("queue", "claimed_by").order_by("pk")
    if rows.model is Review:
        return rows.select_related("item__queue", "reviewer", "patch").order_by("-pk")
    return rows.order_by("-pk")
