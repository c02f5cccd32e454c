"""What people do with filter views: save one under a name, rename it, delete it."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.traces.filters import saved_views
from reviewapp.traces.filters.filter_view import read_view
from reviewapp.traces.filters.saved_views import DuplicateNameError, SavedViewError
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.traces.models import SavedView
from reviewapp.traces.views.traces import listed
from reviewapp.web.request import Request

LEADS_ONLY = "The project's views are kept by leads. Save one for yourself instead, or ask a lead."


@access.member(Role.REVIEWER)
@require_POST
def view_save(request: Request, project: Project) -> HttpResponse:
    said, query = request.POST, QueryDict(request.POST.get("query", ""))
    for_all = said.get("for") == "project"
    if for_all and not request.membership.is_lead:
        raise PermissionDenied(LEADS_ONLY)
    try:
        saved_views.save(
            project, request.user, said.get("name", ""), read_view(query),
            for_all=for_all, on_home="on_home" in said, replaces="replaces" in said,
        )  # fmt: skip
    except FilterError:
        # The list of such a view says by itself what is wrong with it.
        return listed(request, project, query)
    except SavedViewError as error:
        return listed(
            request, project, query, refused=str(error), said=said, is_taken=isinstance(error, DuplicateNameError)
        )
    messages.success(request, "The view is saved.")
    return _back(project, read_view(query).query)


@access.member(Role.REVIEWER)
@require_safe
def view_open(request: Request, project: Project, view: int) -> HttpResponse:
    return _back(project, view_of(request, project, view).query)


@access.member(Role.REVIEWER)
@require_POST
def view_change(request: Request, project: Project, view: int) -> HttpResponse:
    found = _own(request, project, view)
    try:
        saved_views.change(found, request.user, name=request.POST.get("name", ""), on_home="on_home" in request.POST)
    except SavedViewError as error:
        return listed(request, project, QueryDict(found.query), changing=found, refused=str(error), said=request.POST)
    messages.success(request, "The view is changed.")
    return _back(project, found.query)


@access.member(Role.REVIEWER)
@require_POST
def view_delete(request: Request, project: Project, view: int) -> HttpResponse:
    found = _own(request, project, view)
    saved_views.delete(found, request.user)
    messages.success(request, f"The view “{found.name}” is deleted. What it showed stands here still.")
    return _back(project, found.query)


def view_of(request: Request, project: Project, number: int) -> SavedView:
    """The view with this number, where this person may see it. Raises Http404."""
    found = saved_views.visible_to(project, request.user).filter(pk=number).first()
    if found is None:
        raise Http404("There is no such view. It may have been deleted.")
    found.project = project
    return found


def _own(request: Request, project: Project, number: int) -> SavedView:
    """The view, where this person may change it. Raises Http404 and PermissionDenied."""
    found = view_of(request, project, number)
    if found.owner_id is None and not request.membership.is_lead:
        raise PermissionDenied(LEADS_ONLY)
    return found


def _back(project: Project, query: str) -> HttpResponse:
    answer = redirect("traces:trace-list", project=project.slug)
    if query:
        answer["Location"] += f"?{query}"
    return answer
