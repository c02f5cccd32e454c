"""Access rules: every view has one of these decorators, and a test checks it.

A project the user is not a member of is a 404, as if it did not exist. A role that is too low is a 403 with the
reason. A view behind `member` gets the project itself, and `request.membership`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from reviewapp.accounts import queries
from reviewapp.accounts.models import Membership, Project, Role
from reviewapp.lib import sql
from reviewapp.web.request import Request

View = Callable[..., HttpResponseBase]


def anyone(view: View) -> View:
    """Allow everyone, signed in or not."""
    view.access_rule = "anyone"  # type: ignore[attr-defined]
    return login_not_required(view)


def signed_in(view: View) -> View:
    """Allow every signed-in user; the view shows only what they may see."""
    view.access_rule = "signed in"  # type: ignore[attr-defined]
    return view


def by_token(view: View) -> View:
    """Allow machines: the view itself checks the access token."""
    view.access_rule = "access token"  # type: ignore[attr-defined]
    return login_not_required(view)


def member(role: str) -> Callable[[View], View]:
    """Allow members of the project in the URL whose role is at least `role`."""

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
    """Return the signed-in user's membership in a project. Raises Http404."""
    membership = sql.fetch_first(Membership, queries.MEMBERSHIP_BY_SLUG, slug, request.user.pk)
    if membership is None:
        raise Http404("There is no such project, or you are not a member.")
    membership.project = sql.fetch_objects(Project, queries.PROJECT_BY_PK, membership.project_id)[0]
    membership.user = request.user
    return membership
