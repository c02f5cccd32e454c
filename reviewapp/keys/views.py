"""The Keys page: Laminar key, push limit, personal data and access tokens."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import PersonalData, Project, Role
from reviewapp.audit.recording import record
from reviewapp.keys import laminar_keys, tokens
from reviewapp.keys.models import AccessToken, LaminarKey, Scope
from reviewapp.lib import clock
from reviewapp.lib.numbers import parse_int
from reviewapp.web.database_error_page import secret_fields
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

# The highest push limit per second; no Laminar is known to be faster.
MAX_PUSHES_PER_SECOND = 10_000
MAX_TOKEN_DAYS = 3_650
PERSONAL_DATA_LABELS = {
    PersonalData.WARN: "Warn the reviewer, then push",
    PersonalData.REQUIRE: "Ask each time: push, mask, or keep in the review desk",
    PersonalData.OFF: "Do not check",
}


@access.member(Role.ADMIN)
@require_safe
def key_page(request: Request, project: Project) -> HttpResponse:
    return render_page(request, "keys/keys.html", _build_context(project))


@secret_fields("key")
@access.member(Role.ADMIN)
@require_POST
def laminar_key_replace(request: Request, project: Project) -> HttpResponse:
    try:
        key = laminar_keys.replace_key(project, request.POST.get("key", ""), request.user)
    except laminar_keys.KeyNotStored as error:
        return render_page(request, "keys/keys.html", {**_build_context(project), "key_error": str(error)}, status=422)
    messages.success(
        request, f"The key ending in {key.last_four} was tested and is now active. Waiting deliveries will use it."
    )
    return redirect("keys:key-page", project=project.slug)


@secret_fields("key")
@access.member(Role.ADMIN)
@require_POST
def base_url_change(request: Request, project: Project) -> HttpResponse:
    """Move the project to another Laminar. Its key has to be typed again: the stored one is never sent there."""
    base_url = request.POST.get("base_url", "")
    try:
        laminar_keys.connect_project(
            project.slug, project.name, base_url, project.ui_url, request.POST.get("key", ""), request.user
        )
    except (laminar_keys.KeyNotStored, ValidationError) as error:
        reason = str(error) if isinstance(error, laminar_keys.KeyNotStored) else " ".join(error.messages)
        context = {**_build_context(project), "base_url_error": reason, "base_url": base_url}
        return render_page(request, "keys/keys.html", context, status=422)
    messages.success(request, "The new base URL and key were tested and are now used.")
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def laminar_key_test(request: Request, project: Project) -> HttpResponse:
    try:
        kind = laminar_keys.probe_active_key(project)
        messages.success(request, f"The key works. Laminar answered that it is a {kind} key.")
    except laminar_keys.KeyNotStored as error:
        messages.error(request, str(error))
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def laminar_key_erase(request: Request, project: Project, key: UUID) -> HttpResponse:
    laminar_key = LaminarKey.objects.filter(project=project, pk=key).first()
    if laminar_key is None:
        raise Http404("There is no such Laminar key in this project.")
    if laminar_keys.erase_key(project, laminar_key, request.user):
        messages.success(request, "The replaced key was erased here. Revoke it in Laminar too.")
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def personal_data_change(request: Request, project: Project) -> HttpResponse:
    choice = request.POST.get("personal_data", "")
    if choice not in PersonalData.values:
        error = "Not saved. Choose one of the three options."
        return render_page(
            request, "keys/keys.html", {**_build_context(project), "personal_data_error": error}, status=422
        )
    with transaction.atomic():
        if Project.objects.filter(pk=project.pk).exclude(personal_data=choice).update(personal_data=choice):
            record(project, request.user, "changed project", f"project:{project.slug}", personal_data=choice)
    messages.success(request, "Saved. Applies to new reviews.")
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def push_limit_change(request: Request, project: Project) -> HttpResponse:
    text = request.POST.get("push_limit", "").strip()
    limit = parse_int(text, max_value=MAX_PUSHES_PER_SECOND)
    if text and not limit:
        error = f"Not saved. Enter a whole number from 1 to {MAX_PUSHES_PER_SECOND:,}, or leave it empty for no limit."
        return render_page(
            request, "keys/keys.html", {**_build_context(project), "limit_error": error, "limit": text}, status=422
        )
    with transaction.atomic():
        if Project.objects.filter(pk=project.pk).exclude(push_limit=limit).update(push_limit=limit):
            record(project, request.user, "changed project", f"project:{project.slug}", push_limit=limit)
    messages.success(request, "Saved. Applies to new pushes.")
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def token_create(request: Request, project: Project) -> HttpResponse:
    name = request.POST.get("name", "").strip()
    if error := tokens.find_name_error(name):
        context = {**_build_context(project), "token_error": f"Not created. {error}", "token_name": name}
        return render_page(request, "keys/keys.html", context, status=422)
    days = request.POST.get("days", "")
    lifetime = parse_int(days, max_value=MAX_TOKEN_DAYS)
    scopes = [scope for scope in Scope.values if scope in request.POST.getlist("scope")]
    if ("scope" in request.POST and not scopes) or (days and not lifetime):
        error = f"Not created. Choose at least one scope, and a number of days from 1 to {MAX_TOKEN_DAYS:,} or none."
        context = {**_build_context(project), "token_error": error, "token_name": name, "token_days": days}
        return render_page(request, "keys/keys.html", context, status=422)
    secret = tokens.create_token(
        project, name, request.user, scopes=scopes or tokens.DEFAULT_SCOPES,
        expires_at=clock.now() + timedelta(days=lifetime) if lifetime else None,
    )  # fmt: skip
    # Shown in this response only and never stored, hence no redirect.
    return render_page(request, "keys/keys.html", {**_build_context(project), "new_token": secret})


@access.member(Role.ADMIN)
@require_POST
def token_revoke(request: Request, project: Project, token: int) -> HttpResponse:
    access_token = AccessToken.objects.filter(project=project, pk=token).first()
    if access_token is None:
        raise Http404("There is no such access token in this project.")
    if tokens.revoke_token(access_token, request.user):
        messages.success(request, "The token was revoked. Calls that use it are now refused.")
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def token_rotate(request: Request, project: Project, token: int) -> HttpResponse:
    access_token = AccessToken.objects.filter(project=project, pk=token).first()
    if access_token is None:
        raise Http404("There is no such access token in this project.")
    secret = tokens.rotate_token(access_token, request.user)
    if secret is None:
        messages.error(request, "Not rotated: the token is revoked or expired. Create a new one.")
        return redirect("keys:key-page", project=project.slug)
    # Shown in this response only and never stored, hence no redirect.
    return render_page(request, "keys/keys.html", {**_build_context(project), "new_token": secret})


def _build_context(project: Project) -> dict[str, object]:
    rows = LaminarKey.objects.filter(project=project).order_by("-added_at")
    return {
        "scopes": Scope.choices,
        "default_scopes": tokens.DEFAULT_SCOPES,
        "now": clock.now(),
        "personal_data_choices": PERSONAL_DATA_LABELS.items(),
        "limit": project.push_limit or "",
        "project": project,
        "section": "keys",
        "key": next((key for key in rows if key.retired_at is None), None),
        "retired": [key for key in rows if key.retired_at is not None][:10],
        "tokens": AccessToken.objects.filter(project=project).order_by("revoked_at", "-created_at"),
    }
