"""One's own account: password, sessions and sign-in history."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.confirmation import find_password_error
from reviewapp.accounts.models import User
from reviewapp.accounts.sessions import end_sessions
from reviewapp.accounts.sign_in_history import get_history
from reviewapp.accounts.sign_in_models import Session
from reviewapp.lib import clock
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.people.link_views import NewPasswordForm
from reviewapp.people.trail import record_for_person
from reviewapp.web.database_error_page import secret_fields
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

HISTORY_SIZE = 50


@access.signed_in
@require_safe
def account_page(request: Request) -> HttpResponse:
    return _render(request, NewPasswordForm())


@secret_fields("current", "password", "again")
@access.signed_in
@require_POST
def password_change(request: Request) -> HttpResponse:
    form = NewPasswordForm(request.POST)
    user = request.user
    if not form.is_valid():
        return _render(request, form, status=422)
    try:
        validate_password(form.cleaned_data["password"], user)
    except ValidationError as error:
        form.add_error("password", error)
        return _render(request, form, status=422)
    if error_text := find_password_error(request, request.POST.get("current", "")):
        return _render(request, form, current_error=error_text, status=422)
    user.password = make_password(form.cleaned_data["password"])
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(password=user.password)
        # Renews the id of this session.
        update_session_auth_hash(request, user)
        end_sessions(user, except_digest=_own_digest(request))
        record_for_person(user, user, "changed password")
    messages.success(request, "Your password was changed. You were signed out on your other devices.")
    return redirect("accounts:account")


@access.signed_in
@require_POST
def sessions_end(request: Request) -> HttpResponse:
    """End one of one's sessions, or all others."""
    digest = to_storable_text(request.POST.get("session", ""))
    own = Session.objects.filter(user=request.user)
    with transaction.atomic():
        if digest == "others":
            count = end_sessions(request.user, except_digest=_own_digest(request))
        else:
            count, _ = own.filter(digest=digest).exclude(digest=_own_digest(request)).delete()
        if count:
            record_for_person(request.user, request.user, "ended sessions", count=count)
    messages.success(request, f"Signed out on {count} other device{'' if count == 1 else 's'}.")
    return redirect("accounts:account")


def _own_digest(request: Request) -> str:
    return str(request.session.digest)  # type: ignore[attr-defined]


def _render(request: Request, form: NewPasswordForm, *, status: int = 200, **context: Any) -> HttpResponse:
    sessions = Session.objects.filter(user=request.user, expires_at__gt=clock.now())
    context |= {
        "form": form,
        "sessions": sessions.order_by("-seen_at"),
        "own_digest": _own_digest(request),
        "history": get_history(request.user)[:HISTORY_SIZE],
    }
    return render_page(request, "people/account.html", context, status=status)
