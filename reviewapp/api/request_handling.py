"""Shared by all endpoints: authentication, strict JSON bodies and error responses."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja import Field, Schema, Status
from ninja.security.http import HttpAuthBase

from reviewapp.keys import tokens
from reviewapp.keys.models import AccessToken, Scope
from reviewapp.lib import canonical_json
from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text


class AccessTokenAuth(HttpAuthBase):
    """`Authorization: Bearer <access token>`. Ninja's own class would log the header of another scheme.

    Raises RateLimitedError for a valid token with too many calls.
    """

    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> AccessToken | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        token = (
            tokens.find_valid_token(secret, request.META.get("REMOTE_ADDR", "")) if scheme.lower() == "bearer" else None
        )
        if token is not None and (delay := tokens.count_call(token, get_call_limit(token))):
            raise RateLimitedError(delay, get_call_limit(token))
        return token


class ErrorOut(Schema):
    """Why the request was refused."""

    error: str = Field(description="A sentence for a person")
    line: int | None = Field(None, description="Number of the item or patch with the error, from 1")


class RefusedOut(Schema):
    """An element of a list that was refused; the others were saved."""

    index: int = Field(description="Its position in the list of the call, from 0")
    id: str | None = Field(description="Its trace_id as it was sent; null if that is not a string")
    reason: str = Field(description="A sentence for a person")


class ListErrorOut(ErrorOut):
    """Why every element of a list was refused."""

    refused: list[RefusedOut] = Field(description="Every element of the call, if it has more than one")


class RateLimitedError(Exception):
    """The access token has made its calls of this minute, `limit`; `delay` is in seconds."""

    def __init__(self, delay: int, limit: int) -> None:
        super().__init__(delay)
        self.delay, self.limit = delay, limit


class MissingScopeError(Exception):
    """The access token may not do this; the message is a sentence."""


class RequestRejected(ValueError):
    """The request was refused; the message is a sentence. `line` is the number of the faulty item or patch, from 1.

    `refused` has all elements of a list of which none is valid.
    """

    def __init__(
        self, message: str, line: int | None = None, status: int = 400, refused: "Sequence[Refused]" = ()
    ) -> None:
        super().__init__(message)
        self.line, self.status, self.refused = line, status, refused


@dataclass(frozen=True, slots=True, order=True)
class Refused:
    """An element of a list that is refused: its position from 0, its trace_id as sent, and a sentence."""

    index: int
    id: str | None
    reason: str


Parsed = TypeVar("Parsed")


def get_token(request: HttpRequest) -> AccessToken:
    """Return the request's access token. Only it decides the project, nothing else that the client sends."""
    token: AccessToken = request.auth  # type: ignore[attr-defined]
    return token


def get_call_limit(token: AccessToken) -> int:
    """Calls that the token may make in a minute; 0 for no limit."""
    limit: int = settings.API_CALLS_PER_MINUTE
    return limit if token.call_limit is None else token.call_limit


def require_scope(request: HttpRequest, scope: Scope) -> AccessToken:
    """Return the request's access token. Raises MissingScopeError if it may not do this."""
    token = get_token(request)
    if not token.has_scope(scope):
        raise MissingScopeError(
            f"This access token does not have the scope “{scope.value}”. Nothing was changed. Ask an admin for a token"
            " that has it."
        )
    return token


def parse_body(request: HttpRequest) -> Any:
    """Parse the body as strict JSON, whatever its content type. Raises RequestRejected."""
    try:
        return canonical_json.parse_input(request.body)
    except RequestDataTooBig:
        raise RequestRejected("The body is larger than 2 MB. Split the call.", status=413) from None
    except canonical_json.InvalidJSONError as error:
        raise RequestRejected(f"The body cannot be read: {error}") from None


def check_text(value: object) -> None:
    """Raises RequestRejected for a text with a character that cannot be stored."""
    try:
        canonical_json.normalize(value)
    except canonical_json.InvalidJSONError as error:
        raise RequestRejected(str(error)) from None


def parse_each(elements: Sequence[Any], parse: Callable[[Any], Parsed]) -> tuple[dict[int, Parsed], list[Refused]]:
    """Parse the elements of a list. Returns the valid ones by position, and those that `parse` refuses.

    Raises RequestRejected if none is valid.
    """
    parsed, refused = {}, []
    for index, element in enumerate(elements):
        try:
            parsed[index] = parse(element)
        except RequestRejected as error:
            refused.append(refuse(index, element, str(error)))
    if not parsed:
        raise all_refused(refused)
    return parsed, refused


def refuse(index: int, element: Any, reason: str) -> Refused:
    """Describe a refused element. What it quotes of the request may have half a character, which is no valid JSON."""
    trace_id = element.get("trace_id") if isinstance(element, dict) else None
    return Refused(index, to_storable_text(trace_id) if isinstance(trace_id, str) else None, to_storable_text(reason))


def all_refused(refused: Sequence[Refused], status: int = 400) -> RequestRejected:
    """The error for a list with no valid element, which names the first one."""
    first = refused[0]
    return RequestRejected(first.reason, first.index + 1, status, refused if len(refused) > 1 else ())


def describe_refused(refused: Iterable[Refused]) -> list[dict[str, object]]:
    return [asdict(element) for element in refused]


def refuse_unknown_fields(body: dict[str, Any], allowed: set[str]) -> None:
    """Raises RequestRejected, naming the first field that is not allowed."""
    if unknown := sorted(body.keys() - allowed):
        name = shorten(unknown[0], 40).encode("utf-8", "replace").decode()
        names = ", ".join(sorted(allowed))
        raise RequestRejected(f"Unknown field “{name}”. Allowed: {names}.")


def error_response(error: RequestRejected, noun: str, outcome: str) -> Status[dict[str, object]]:
    """The response to a refused request. `noun` names what a line is, `outcome` says that nothing was changed."""
    message = f"{noun} {error.line}: {error} {outcome}" if error.line else f"{error} {outcome}"
    # The sentence may quote half a character, which is no valid JSON.
    content: dict[str, object] = {"error": to_storable_text(message), "line": error.line}
    if error.refused:
        content["refused"] = describe_refused(error.refused)
    return Status(error.status, content)
