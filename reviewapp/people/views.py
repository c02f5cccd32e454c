"""The People page of a project: members, roles, invites and reset links."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.admins import LastAdminError
from reviewapp.accounts.models import Membership, Project, Role
from reviewapp.accounts.sessions import end_sessions
from reviewapp.audit.recording import record
from reviewapp.lib.numbers import parse_int
from reviewapp.people import invite_mail, links, members
from reviewapp.people.models import AccountLink, is_usable
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.ADMIN)
@require_safe
def people_page(request: Request, project: Project) -> HttpResponse:
    return _render(request, project)


@access.member(Role.ADMIN)
@require_POST
def invite_create(request: Request, project: Project) -> HttpResponse:
    role, email = request.POST.get("role", ""), request.POST.get("email", "").strip()
    days = parse_int(request.POST.get("days", ""))
    form = {"role": role, "email": email, "days": days}
    if role not in Role.values or days not in links.INVITE_DAYS:
        return _render(request, project, invite_error="Not created. Choose a role and a time.", form=form, status=422)
    try:
        if email:
            validate_email(email)
    except ValidationError:
        error = "Not created. This is not an e-mail address. Correct it, or leave it empty."
        return _render(request, project, invite_error=error, form=form, status=422)
    url = request.build_absolute_uri(links.get_path(links.make_invite(project, role, days, request.user, email)))
    note = invite_mail.send_invite(project, url, email) if email else ""
    # Shown in this response only and never stored, hence no redirect.
    return _render(request, project, new_link=url, link_note=note, link_for="invite")


@access.member(Role.ADMIN)
@require_POST
def link_revoke(request: Request, project: Project, link: int) -> HttpResponse:
    account_link = AccountLink.objects.filter(project=project, pk=link).first()
    if account_link is None:
        raise Http404("There is no such link in this project.")
    if links.revoke_link(account_link, request.user):
        messages.success(request, "The link was revoked. It can no longer be used.")
    return redirect("people:people-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def role_change(request: Request, project: Project, person: int) -> HttpResponse:
    membership = _get_member_or_404(project, person)
    role = request.POST.get("role", "")
    if role not in Role.values:
        return _render(request, project, people_error="Not changed. Choose a role.", status=422)
    try:
        is_changed = members.change_role(membership, role, request.user)
    except LastAdminError as error:
        return _render(request, project, people_error=str(error), status=409)
    if is_changed:
        messages.success(request, f"{membership.user} now has the role {role}.")
    return redirect("people:people-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def person_deactivate(request: Request, project: Project, person: int) -> HttpResponse:
    membership = _get_member_or_404(project, person)
    try:
        members.deactivate(membership, request.user)
    except LastAdminError as error:
        return _render(request, project, people_error=str(error), status=409)
    messages.success(request, f"{membership.user} has no access any more. Their reviews were kept.")
    return redirect("people:people-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def person_reactivate(request: Request, project: Project, person: int) -> HttpResponse:
    membership = _get_member_or_404(project, person)
    members.reactivate(membership, request.user)
    messages.success(request, f"{membership.user} has access again.")
    return redirect("people:people-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def person_remove(request: Request, project: Project, person: int) -> HttpResponse:
    membership = _get_member_or_404(project, person)
    try:
        members.remove(membership, request.user)
    except LastAdminError as error:
        return _render(request, project, people_error=str(error), status=409)
    messages.success(request, f"{membership.user} was removed from the project. Their reviews were kept.")
    return redirect("people:people-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def person_sign_out(request: Request, project: Project, person: int) -> HttpResponse:
    membership = _get_member_or_404(project, person)
    count = end_sessions(membership.user)
    record(project, request.user, "ended sessions", f"person:{membership.user.username}", count=count)
    messages.success(request, f"{membership.user} was signed out everywhere.")
    return redirect("people:people-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def password_link_create(request: Request, project: Project, person: int) -> HttpResponse:
    membership = _get_member_or_404(project, person)
    try:
        secret = links.make_reset(membership, request.user)
    except links.LinkError as error:
        return _render(request, project, people_error=str(error), status=403)
    url = request.build_absolute_uri(links.get_path(secret))
    return _render(request, project, new_link=url, link_for=str(membership.user))


def _get_member_or_404(project: Project, number: int) -> Membership:
    membership = Membership.objects.select_related("user", "project").filter(project=project, pk=number).first()
    if membership is None:
        raise Http404("There is no such person in this project.")
    return membership


def _render(request: Request, project: Project, *, status: int = 200, **context: Any) -> HttpResponse:
    people = Membership.objects.filter(project=project).select_related("user")
    invites = AccountLink.objects.filter(is_usable(), project=project).select_related("user")
    context |= {
        "project": project,
        "section": "people",
        "people": people.order_by("-is_active", "user__username"),
        "links": invites.order_by("-made_at"),
        "roles": Role.values,
        "days": links.INVITE_DAYS,
        "has_mail": invite_mail.is_on(),
    }
    return render_page(request, "people/people.html", context, status=status)
