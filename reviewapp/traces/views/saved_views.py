"""Save, open, rename and delete filter views."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.traces.access import get_saved_view_or_404
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.filters import saved_views
from reviewapp.traces.filters.filter_view import read_view
from reviewapp.traces.filters.saved_views import DuplicateNameError, SavedViewError
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.traces.views.traces import render_list
from reviewapp.web.request import Request

LEADS_ONLY = "Only leads can change the project's views. Save a view for yourself, or ask a lead."


@access.member(Role.REVIEWER)
@require_POST
def view_save(request: Request, project: Project) -> HttpResponse:
    form_data, query = request.POST, QueryDict(request.POST.get("query", ""))
    for_all = form_data.get("for") == "project"
    if for_all and not request.membership.is_lead:
        raise PermissionDenied(LEADS_ONLY)
    try:
        saved_views.save(
            project, request.user, form_data.get("name", ""), read_view(query),
            for_all=for_all, on_home="on_home" in form_data, replaces="replaces" in form_data,
        )  # fmt: skip
    except FilterError:
        # The list shows the error of an invalid query.
        return render_list(request, project, query)
    except SavedViewError as error:
        return render_list(
            request, project, query,
            save_error=str(error), form_data=form_data, is_duplicate=isinstance(error, DuplicateNameError),
        )  # fmt: skip
    messages.success(request, "View saved.")
    return _redirect_to_list(project, read_view(query).query)


@access.member(Role.REVIEWER)
@require_safe
def view_open(request: Request, project: Project, view: int) -> HttpResponse:
    return _redirect_to_list(project, get_saved_view_or_404(project, request.user, view).query)


@access.member(Role.REVIEWER)
@require_POST
def view_change(request: Request, project: Project, view: int) -> HttpResponse:
    saved = _get_editable_view(request, project, view)
    form_data = request.POST
    try:
        saved_views.change(saved, request.user, name=form_data.get("name", ""), on_home="on_home" in form_data)
    except SavedViewError as error:
        return render_list(
            request, project, QueryDict(saved.query), edited_view=saved, save_error=str(error), form_data=form_data
        )
    messages.success(request, "View changed.")
    return _redirect_to_list(project, saved.query)


@access.member(Role.REVIEWER)
@require_POST
def view_delete(request: Request, project: Project, view: int) -> HttpResponse:
    saved = _get_editable_view(request, project, view)
    saved_views.delete(saved, request.user)
    messages.success(request, f"View “{saved.name}” deleted. Its filter is still applied below.")
    return _redirect_to_list(project, saved.query)


def _get_editable_view(request: Request, project: Project, pk: int) -> SavedView:
    """A view that the user may change. Raises Http404 and PermissionDenied."""
    view = get_saved_view_or_404(project, request.user, pk)
    if view.owner_id is None and not request.membership.is_lead:
        raise PermissionDenied(LEADS_ONLY)
    return view


def _redirect_to_list(project: Project, query: str) -> HttpResponse:
    response = redirect("traces:trace-list", project=project.slug)
    if query:
        response["Location"] += f"?{query}"
    return response
