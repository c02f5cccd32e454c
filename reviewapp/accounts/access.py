"""Who may see and do what: every route carries one of these rules, and a test proves it.

Somebody else's project is a 404, as if it were not there. Too small a role in one's own is a 403 with
the reason. A view that has passed `member` gets the project itself, and `request.membership`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from reviewapp.accounts.models import Membership, Project, Role
from reviewapp.lib import sql
from reviewapp.web.request import Request

# Each request of a project asks these; see reviewapp.lib.sql for why they are written out.
_MEMBERSHIP = """
    SELECT m.* FROM reviewapp_membership m JOIN reviewapp_project p ON p.id = m.project_id
    WHERE p.slug = %s AND m.user_id = %s
"""
_PROJECT = "SELECT * FROM reviewapp_project WHERE id = %s"

View = Callable[..., HttpResponseBase]


def anyone(view: View) -> View:
    """For people not signed in too."""
    view.access_rule = "anyone"  # type: ignore[attr-defined]
    return login_not_required(view)


def signed_in(view: View) -> View:
    """For anybody who is signed in; the view shows only what is theirs."""
    view.access_rule = "signed in"  # type: ignore[attr-defined]
    return view


def by_token(view: View) -> View:
    """For machines: the view itself asks for an access token."""
    view.access_rule = "access token"  # type: ignore[attr-defined]
    return login_not_required(view)


def member(role: str) -> Callable[[View], View]:
    """For members of the project in the URL who have at least `role` there."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, project: str, **kwargs: Any) -> HttpResponseBase:
            membership = membership_of(cast(Request, request), project)
            if not membership.has_role(role):
                raise PermissionDenied(
                    f"This page is for {Role(role).label}s of the project. Ask an admin for the role."
                )
            request.membership = membership  # type: ignore[attr-defined]
            return view(request, membership.project, **kwargs)

        guarded.access_rule = f"member: {role}"  # type: ignore[attr-defined]
        return guarded

    return decorate


def membership_of(request: Request, slug: str) -> Membership:
    """The signed-in person's membership in the project named `slug`. Raises Http404."""
    found = sql.fetch_first(Membership, _MEMBERSHIP, slug, request.user.pk)
    if found is None:
        raise Http404("There is no such project among yours.")
    found.project = sql.fetch_objects(Project, _PROJECT, found.project_id)[0]
    found.user = request.user
    return found
