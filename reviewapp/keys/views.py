"""The admin's page for the project's secrets."""

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import PersonalData, Project, Role
from reviewapp.audit.recording import record
from reviewapp.keys import laminar_keys, tokens
from reviewapp.keys.models import AccessToken, LaminarKey
from reviewapp.lib.numbers import parse_int
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

# Pushes a second that a limit may allow; faster than this no Laminar was seen.
MAX_PUSHES_PER_SECOND = 10_000


@access.member(Role.ADMIN)
@require_safe
def key_page(request: Request, project: Project) -> HttpResponse:
    return render_page(request, "keys/keys.html", _context(project))


@access.member(Role.ADMIN)
@require_POST
def laminar_key_replace(request: Request, project: Project) -> HttpResponse:
    try:
        key = laminar_keys.replace_key(project, request.POST.get("key", ""), request.user)
    except laminar_keys.KeyNotStored as error:
        return render_page(request, "keys/keys.html", {**_context(project), "key_error": str(error)}, status=422)
    messages.success(
        request, f"The key ending in {key.last_four} was tested and is in use. What waits is sent with it."
    )
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def personal_data_change(request: Request, project: Project) -> HttpResponse:
    wish = request.POST.get("personal_data", "")
    if wish not in PersonalData.values:
        error = "Nothing was changed: choose one of the three."
        return render_page(request, "keys/keys.html", {**_context(project), "wish_error": error}, status=422)
    with transaction.atomic():
        if Project.objects.filter(pk=project.pk).exclude(personal_data=wish).update(personal_data=wish):
            record(project, request.user, "changed project", f"project:{project.slug}", personal_data=wish)
    messages.success(request, "It is saved, and holds for every review from now on.")
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def push_limit_change(request: Request, project: Project) -> HttpResponse:
    typed = request.POST.get("push_limit", "").strip()
    limit = parse_int(typed, max_value=MAX_PUSHES_PER_SECOND)
    if typed and not limit:
        error = f"Not saved. Enter a whole number from 1 to {MAX_PUSHES_PER_SECOND:,}, or leave it empty for no limit."
        return render_page(
            request, "keys/keys.html", {**_context(project), "limit_error": error, "limit": typed}, status=422
        )
    with transaction.atomic():
        if Project.objects.filter(pk=project.pk).exclude(push_limit=limit).update(push_limit=limit):
            record(project, request.user, "changed project", f"project:{project.slug}", push_limit=limit)
    messages.success(request, "It is saved, and holds for every push from now on.")
    return redirect("keys:key-page", project=project.slug)


@access.member(Role.ADMIN)
@require_POST
def token_make(request: Request, project: Project) -> HttpResponse:
    name = request.POST.get("name", "").strip()
    if not name or len(name) > 80 or not name.isprintable():
        error = "Give the token a name of 80 characters at most, so that it can be told apart later."
        return render_page(request, "keys/keys.html", {**_context(project), "token_error": error}, status=422)
    secret = tokens.create_token(project, name, request.user)
    # Shown in this one answer and kept nowhere: no redirect, which would have to carry it.
    return render_page(request, "keys/keys.html", {**_context(project), "new_token": secret})


@access.member(Role.ADMIN)
@require_POST
def token_revoke(request: Request, project: Project, token: int) -> HttpResponse:
    found = AccessToken.objects.filter(project=project, pk=token).first()
    if found is None:
        raise Http404("There is no such access token in this project.")
    if tokens.revoke_token(found, request.user):
        messages.success(request, "The token is revoked. Whoever holds it is refused from now on.")
    return redirect("keys:key-page", project=project.slug)


def _context(project: Project) -> dict[str, object]:
    keys = LaminarKey.objects.filter(project=project).order_by("-added_at")
    return {
        "wishes": PersonalData.choices,
        "limit": project.push_limit or "",
        "project": project,
        "section": "keys",
        "key": next((key for key in keys if key.retired_at is None), None),
        "retired": [key for key in keys if key.retired_at is not None][:10],
        "tokens": AccessToken.objects.filter(project=project).order_by("revoked_at", "-created_at"),
    }
