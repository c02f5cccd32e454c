"""Ask for the password again before keys, roles and exports, if it was not typed lately."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from django.contrib.auth.hashers import check_password
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver

from reviewapp.accounts.password_hasher import BusyError, take_place
from reviewapp.accounts.sessions import SessionStore
from reviewapp.accounts.sign_in_throttle import ThrottledError, count_try, forgive
from reviewapp.lib import clock
from reviewapp.web.client_address import get_address
from reviewapp.web.database_error_page import get_typed_fields
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

CONFIRMED_FOR = timedelta(minutes=10)
PASSWORD_FIELD, METHOD_FIELD = "confirm_password", "confirm_method"
WRONG = "This is not your password. Nothing was changed."
THROTTLED = "Too many failed attempts. Nothing was changed. Wait ten minutes, then try again."
BUSY = "Many people are signing in at once. Nothing was changed. Wait a few seconds, then try again."

View = Callable[..., HttpResponseBase]


def require_password(view: View) -> View:
    """Show a page that asks for the password, unless it was typed within CONFIRMED_FOR; then go on with the request."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        password = request.POST.get(PASSWORD_FIELD)
        if password is None:
            return view(request, *args, **kwargs) if _is_confirmed(request) else _ask(request, status=403)
        if error := find_password_error(cast(Request, request), password):
            return _ask(request, error, status=422)
        _get_session(request).confirm()
        if request.POST.get(METHOD_FIELD) != "POST":
            return redirect(request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def require_password_for(routes: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """Put `require_password` before the view of each route."""
    for route in routes:
        if isinstance(route, URLPattern):
            route.callback = require_password(route.callback)
    return routes


def find_password_error(request: Request, password: str) -> str:
    """Return why this is not accepted as the signed-in person's password, as a sentence; empty if it is.

    The tries of a session have a limit of their own.
    """
    try:
        with take_place(is_known=True):
            lane = f"session-{_get_session(request).digest[:20]}"
            counted = count_try(request.user.username, get_address(request), lane)
            if not check_password(password, request.user.password):
                return WRONG
    except ThrottledError:
        return THROTTLED
    except BusyError:
        return BUSY
    forgive(counted)
    return ""


def _is_confirmed(request: HttpRequest) -> bool:
    session = _get_session(request)
    last = session.confirmed_at or session.created_at
    return last is not None and last > clock.now() - CONFIRMED_FOR


def _get_session(request: HttpRequest) -> SessionStore:
    return cast(SessionStore, request.session)


def _ask(request: HttpRequest, error: str = "", *, status: int) -> HttpResponse:
    """The page that asks, with what was typed in the form that it interrupts."""
    own_fields = (PASSWORD_FIELD, METHOD_FIELD)
    context = {
        "error": error,
        "method": request.POST.get(METHOD_FIELD, request.method),
        "fields": [field for field in get_typed_fields(request) if field.name not in own_fields],
        "action": request.get_full_path(),
    }
    return render_page(request, "accounts/confirm.html", context, status=status)
