"""A trace's reviews in all queues of the project."""

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.reviews.models import attach_rubrics
from reviewapp.reviews.visibility import select_visible
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

MAX_REVIEWS = 100


@access.member(Role.REVIEWER)
@require_safe
def trace_reviews(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    """Every revision that the person may see, newest first, undone ones included."""
    revisions = select_visible(project, request.user).filter(item__trace_id=trace_id)
    revisions = revisions.select_related("reviewer", "patch", "item__queue").order_by("-submitted_at", "-pk")
    reviews = list(revisions[:MAX_REVIEWS])
    attach_rubrics(reviews)
    context = {"project": project, "reviews": reviews, "trace_id": trace_id, "section": "traces"}
    return render_page(request, "reviews/trace_reviews.html", context, fragment="reviews")
