"""The traces of a session around one of them, with the reviews that the reader may see."""

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.reviews.models import Review
from reviewapp.reviews.visibility import select_visible
from reviewapp.traces.access import get_trace_or_404
from reviewapp.traces.filters.paging import UNLISTED
from reviewapp.traces.filters.session import find_place, is_before, select_session
from reviewapp.traces.models import Trace
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

# Traces shown before and after the trace.
MAX_EARLIER, MAX_LATER = 20, 10


@access.member(Role.REVIEWER)
@require_safe
def session_turns(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    trace = get_trace_or_404(project, trace_id)
    traces = list(_load_around(trace)) if trace.session_id and trace.start_time else [trace]
    place = find_place(trace)
    reviews: dict[UUID, list[Review]] = {}
    visible = select_visible(project, request.user).filter(
        is_latest=True, item__trace_id__in=[other.trace_id for other in traces]
    )
    for review in visible.select_related("item__queue", "reviewer").order_by("pk"):
        reviews.setdefault(review.item.trace_id, []).append(review)
    context = {
        "project": project, "section": "traces", "trace": trace,
        "first_position": 1 if place is None else place.position - traces.index(trace),
        "rows": [(other, reviews.get(other.trace_id, [])) for other in traces],
    }  # fmt: skip
    return render_page(request, "reviews/session_turns.html", context, fragment="turns")


def _load_around(trace: Trace) -> list[Trace]:
    """The trace with its neighbours in the session, oldest first."""
    traces = select_session(trace).select_related("excerpt").defer(*UNLISTED, "metadata")
    earlier = traces.filter(is_before(trace)).order_by("-start_time", "-pk")[:MAX_EARLIER]
    later = traces.exclude(is_before(trace)).exclude(pk=trace.pk).order_by("start_time", "pk")[:MAX_LATER]
    return [*reversed(earlier), trace, *later]
