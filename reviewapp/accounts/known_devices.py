"""Browsers that a person has signed in with before, known by a signed cookie.

Their tries have limits of their own, so that a person is not locked out while others guess at their password.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from reviewapp.lib.names import fold_name

MAX_NAMES = 8
_SALT = "known device"
_DAYS = 365


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A browser, and the keys of the names that have signed in with it, the newest first."""

    id: str
    names: tuple[str, ...]


def read_device(request: HttpRequest) -> KnownDevice | None:
    """Return the browser if its cookie is ours."""
    try:
        content: Any = signing.loads(
            request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""), salt=_SALT, max_age=_DAYS * 86_400
        )
    except signing.BadSignature:
        return None
    return KnownDevice(content["id"], tuple(content["names"]))


def find_known_id(request: HttpRequest, username: str) -> str:
    """Return the browser's id if this name has signed in with it before; otherwise empty."""
    device = read_device(request)
    return device.id if device and fold_name(username) in device.names else ""


def remember_device(request: HttpRequest, response: HttpResponse, username: str) -> None:
    """Let the browser be known for this name, for a year."""
    device, key = read_device(request), fold_name(username)
    names = [key, *(name for name in (device.names if device else ()) if name != key)][:MAX_NAMES]
    content = {"id": device.id if device else secrets.token_urlsafe(12), "names": names}
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME, signing.dumps(content, salt=_SALT), max_age=_DAYS * 86_400,
        secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax",
    )  # fmt: skip
