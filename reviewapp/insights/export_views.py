"""Export a queue's reviews: a page with the options, and the download."""

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit.recording import record
from reviewapp.insights.export_rows import FORMATS, ExportOptions, join_lines
from reviewapp.insights.exports import build_lines
from reviewapp.lib.shortening import shorten
from reviewapp.queues.access import get_queue_or_404
from reviewapp.reviews.review_filter import ReviewFilter
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_safe
def export_page(request: Request, project: Project, queue: str) -> HttpResponse:
    """The options of an export; the filter of the list that it was opened from is kept."""
    review_queue = get_queue_or_404(project, queue)
    option_names = {"format", "revisions", "bom", "choices", "rows", "page"}
    filters = [(name, value) for name, value in request.GET.items() if name not in option_names]
    count = ReviewFilter.parse(request.GET, queue=queue).apply(project).filter(is_latest=True).count()
    context = {
        "project": project, "section": "queues", "queue": review_queue, "formats": FORMATS,
        "filters": filters, "count": count,
    }  # fmt: skip
    return render_page(request, "insights/export.html", context)


@access.member(Role.LEAD)
@require_safe
def review_export(request: Request, project: Project, queue: str) -> HttpResponseBase:
    """The file, streamed: every revision that matches the filter, or the latest only."""
    review_queue = get_queue_or_404(project, queue)
    options = ExportOptions.parse(request.GET)
    lines = build_lines(ReviewFilter.parse(request.GET, queue=queue).apply(project), review_queue, options)
    query = shorten(request.GET.urlencode(), 2_000)
    record(project, request.user, "exported reviews", f"queue:{review_queue.slug}", query=query)
    is_csv = options.format == "csv"
    content_type = "text/csv; charset=utf-8" if is_csv else "application/jsonl; charset=utf-8"
    response = StreamingHttpResponse(join_lines(lines), content_type=content_type)
    name = f"{review_queue.slug}-{'reviews' if options.format in ('csv', 'jsonl') else options.format}"
    response["Content-Disposition"] = f'attachment; filename="{name}.{"csv" if is_csv else "jsonl"}"'
    response["Cache-Control"] = NO_STORE
    return response
