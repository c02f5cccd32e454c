"""Save and delete views of the list of reviews."""

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.reviews.review_filter import ReviewFilter
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.filters import saved_views
from reviewapp.traces.filters.saved_views import SavedViewError
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_POST
def view_save(request: Request, project: Project) -> HttpResponse:
    """Save the filter in `query` for this person, or for all leads."""
    form_data = request.POST
    review_filter = ReviewFilter.parse(QueryDict(form_data.get("query", "")))
    try:
        saved_views.save(
            project, request.user, form_data.get("name", ""), review_filter,
            for_all=form_data.get("for") == "project", on_home=False, subject=SavedView.Subject.REVIEWS,
        )  # fmt: skip
    except SavedViewError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "View saved.")
    return _redirect_to_list(project, review_filter.query)


@access.member(Role.LEAD)
@require_POST
def view_delete(request: Request, project: Project, view: int) -> HttpResponse:
    saved = saved_views.visible_to(project, request.user, SavedView.Subject.REVIEWS).filter(pk=view).first()
    if saved is None:
        raise Http404("There is no such view in this project.")
    saved_views.delete(saved, request.user)
    messages.success(request, f"View “{saved.name}” deleted. Its filter is still applied below.")
    return _redirect_to_list(project, saved.query)


def _redirect_to_list(project: Project, query: str) -> HttpResponse:
    response = redirect("insights:review-audit", project=project.slug)
    if query:
        response["Location"] += f"?{query}"
    return response
