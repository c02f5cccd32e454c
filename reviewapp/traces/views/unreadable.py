"""The list of traces that could not be read, wholly or in part."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib.numbers import parse_int
from reviewapp.traces.models import UnreadablePart
from reviewapp.traces.sync import unreadable
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50


@access.member(Role.REVIEWER)
@require_safe
def unreadable_list(request: Request, project: Project) -> HttpResponse:
    """What could not be read, newest first, with the reason and the time of the next try."""
    marks = UnreadablePart.objects.filter(project=project).select_related("trace").order_by("-pk")
    before = parse_int(request.GET.get("before"))
    if before is not None:
        marks = marks.filter(pk__lt=before)
    rows = list(marks[: PAGE_SIZE + 1])
    context = {
        "project": project, "section": "traces", "rows": rows[:PAGE_SIZE], "has_more": len(rows) > PAGE_SIZE,
        "trace_count": unreadable.count_traces(project),
    }  # fmt: skip
    return render_page(request, "traces/unreadable.html", context)
