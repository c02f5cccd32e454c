"""The answer when the database fails: made without it, with what was typed in a form that can be sent again."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.urls import Resolver404, resolve

from reviewapp.lib.database_faults import Fault

# No proxy sends it, so the browser knows that this very submit cannot be stored.
INSUFFICIENT_STORAGE = 507
RETRY_SECONDS = 5
CSRF_FIELD = "csrfmiddlewaretoken"
# A field longer than this, or of several lines, is shown to be read and copied.
_LONG = 40

View = TypeVar("View", bound=Callable[..., Any])


class Explanation(NamedTuple):
    """What a page says about a fault, with its status."""

    status: int
    title: str
    message: str


EXPLANATIONS = {
    Fault.NO_ANSWER: Explanation(
        503,
        "The database is not answering",
        "Everything saved before is safe; what you have just sent may not be saved. Wait a moment and send it again."
        " If this goes on, tell the operator of the review desk.",
    ),
    Fault.FULL_OR_READ_ONLY: Explanation(
        INSUFFICIENT_STORAGE,
        "The database cannot save anything",
        "Its disk may be full, or it is read-only. Everything saved before is safe; what you have just sent is not"
        " saved. Keep this page open, tell the operator of the review desk, and send it again when it is fixed.",
    ),
    Fault.MISSING_MIGRATIONS: Explanation(
        503,
        "The database is not up to date",
        "Migrations are missing. Everything saved before is safe; what you have just sent is not saved. Tell the"
        " operator of the review desk to run manage.py migrate, then send it again.",
    ),
}


class TypedField(NamedTuple):
    """A field of a form that could not be saved; `is_long` if it is worth showing."""

    name: str
    value: str
    is_long: bool


def secret_fields(*names: str) -> Callable[[View], View]:
    """Mark the fields of a view's form that no page may repeat."""

    def decorate(view: View) -> View:
        view.secret_fields = frozenset(names)  # type: ignore[attr-defined]
        return view

    return decorate


def get_typed_fields(request: HttpRequest) -> list[TypedField]:
    """The fields of the posted form without secrets; none if it cannot be read."""
    if request.method != "POST":
        return []
    try:
        secret: frozenset[str] = getattr(resolve(request.path_info).func, "secret_fields", frozenset())
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
    except (Resolver404, BadRequest, MultiPartParserError, OSError, ValueError):
        return []
    return [
        TypedField(name, str(value), _is_long(str(value)))
        for name, value in fields
        if name not in secret and name != CSRF_FIELD
    ]


def _is_long(value: str) -> bool:
    return len(value) > _LONG or len(value.splitlines()) > 1
