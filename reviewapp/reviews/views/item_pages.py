"""Parts of an item's page that refresh on their own: the trace, the delivery, the last item."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.queues.access import get_item_or_404
from reviewapp.reviews.delivery_status import get_delivery_context
from reviewapp.reviews.undoing import describe_last_item
from reviewapp.reviews.workbench import get_latest_review, open_item_reader
from reviewapp.traces.reader import spelling
from reviewapp.traces.reader.query import TABS
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.REVIEWER)
@require_safe
def item_reading(request: Request, project: Project, item: int) -> HttpResponse:
    """The trace; with `?waiting` no content (204) until its spans are pulled."""
    queue_item = get_item_or_404(project, item)
    tab = request.GET.get("tab", "")
    if request.user.preferences.keeps_tab and tab in TABS and request.session.get("tab") != tab:
        request.session["tab"] = tab
    reader = open_item_reader(queue_item, spelling.remember(request.session, request.GET), request.path)
    trace = reader.trace
    if "waiting" in request.GET and not trace.has_spans:
        return HttpResponse(status=204)
    template = "traces/_reader_fragment.html" if reader.query.is_fragment else "traces/_reader.html"
    return render_page(request, template, {"project": project, "item": queue_item, "reading": reader, "trace": trace})


@access.member(Role.REVIEWER)
@require_safe
def item_delivery(request: Request, project: Project, item: int) -> HttpResponse:
    """How far the delivery of the item's review has come."""
    queue_item = get_item_or_404(project, item)
    context = {
        "project": project,
        "item": queue_item,
        **get_delivery_context(queue_item, get_latest_review(queue_item, request.user)),
    }
    return render_page(request, "reviews/delivery.html", context, fragment="timeline")


@access.member(Role.REVIEWER)
@require_safe
def item_left(request: Request, project: Project, item: int) -> HttpResponse:
    """The item this person worked on last: its review's delivery, and an Undo button while it can be undone."""
    queue_item = get_item_or_404(project, item)
    review = get_latest_review(queue_item, request.user)
    last_item = describe_last_item(queue_item, review, request.user)
    context = {"project": project, "last_item": last_item, **get_delivery_context(queue_item, review)}
    return render_page(request, "reviews/last_item.html", context, fragment="last_item")
