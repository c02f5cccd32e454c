"""Let a person in or out, and leave a trace of it."""

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse

from reviewapp.accounts import known_devices
from reviewapp.accounts.models import User
from reviewapp.accounts.sessions import SessionStore
from reviewapp.accounts.sign_in_history import record_outcome
from reviewapp.accounts.sign_in_models import Session, SignIn
from reviewapp.lib.user_agent import describe_browser
from reviewapp.people.trail import record_for_person
from reviewapp.web.client_address import get_address

BACKEND = "reviewapp.accounts.sessions.Backend"


def let_in(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Begin a session of the person, and let their browser be known from now on."""
    login(request, user, backend=BACKEND)
    address, device = get_address(request), _describe_device(request)
    session: SessionStore = request.session  # type: ignore[assignment]
    SessionStore.clear_expired()
    Session.objects.filter(digest=session.digest).update(address=address, device=device)
    record_outcome(user, SignIn.Outcome.SIGNED_IN, address, device)
    record_for_person(user, user, "signed in", address=address, device=device)
    known_devices.remember_device(request, response, user.username)


def let_out(request: HttpRequest) -> None:
    """End the session of the request."""
    user = request.user if isinstance(request.user, User) else None
    logout(request)
    if user is not None:
        address, device = get_address(request), _describe_device(request)
        record_outcome(user, SignIn.Outcome.SIGNED_OUT, address, device)
        record_for_person(user, user, "signed out", address=address, device=device)


def record_failure(request: HttpRequest, username: str, *, is_first: bool) -> None:
    """Leave a trace of a wrong password; of the failures with a name in a row, the audit log has the first."""
    try:
        user = User.objects.get_by_natural_key(username)
    except User.DoesNotExist:
        user = None
    address, device = get_address(request), _describe_device(request)
    record_outcome(user, SignIn.Outcome.FAILED, address, device)
    if user is not None and is_first:
        record_for_person(user, "sign-in page", "failed to sign in", address=address, device=device)


def _describe_device(request: HttpRequest) -> str:
    return describe_browser(request.headers.get("User-Agent", ""))
