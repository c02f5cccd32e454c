"""Who may send a file: asked by the head of the request, before any of the file is read.

Whoever has no credentials, or unknown ones, can send no more than in any other request.
"""

from collections.abc import Callable, Sequence

# Header names as gunicorn spells them.
_CREDENTIALS = ("COOKIE", "AUTHORIZATION")
Headers = Sequence[tuple[str, str]]
Check = Callable[[str, str], bool]


class _Process:
    """The application's check of this process."""

    check: Check | None = None


def register(check: Check) -> None:
    """Set the application's check, which is called with the headers Cookie and Authorization, each may be empty."""
    _Process.check = check


def has_credentials(headers: Headers) -> bool:
    """Whether there is something to check."""
    return _Process.check is not None and any(name in _CREDENTIALS for name, _ in headers)


def is_admitted(headers: Headers) -> bool:
    """Whether the application knows the sender. May wait for the database, and raise what it raises."""
    cookie, authorization = (
        next((value for name, value in headers if name == credential), "") for credential in _CREDENTIALS
    )
    return _Process.check is not None and _Process.check(cookie, authorization)
