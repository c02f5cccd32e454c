"""Who may send a file, as the web server asks before it reads one."""

from django.conf import settings
from django.db import close_old_connections
from django.http import parse_cookie

from reviewapp.accounts.sessions import hash_id
from reviewapp.accounts.sign_in_models import Session
from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock, deadline


def is_known_sender(cookies: str, authorization: str) -> bool:
    """Whether a request with these headers comes from somebody who is signed in, or has a valid access token."""
    # As for a request: the thread keeps its connection, unless that has broken.
    close_old_connections()
    try:
        with deadline.limit(settings.REQUEST_SECONDS):
            return _has_session(cookies) or _has_token(authorization)
    finally:
        close_old_connections()


def _has_session(cookies: str) -> bool:
    session_key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    active = Session.objects.filter(expires_at__gt=clock.now(), user__is_active=True)
    return bool(session_key) and active.filter(digest=hash_id(session_key or "")).exists()


def _has_token(authorization: str) -> bool:
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    token = AccessToken.objects.filter(digest=AccessToken.hash_secret(secret)).first()
    return token is not None and token.is_valid
