"""Shared by all endpoints: authentication, strict JSON bodies and error responses."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja import Field, Schema, Status
from ninja.security.http import HttpAuthBase

from reviewapp.keys import tokens
from reviewapp.keys.models import AccessToken
from reviewapp.lib import canonical_json
from reviewapp.lib.storable_text import to_storable_text


class AccessTokenAuth(HttpAuthBase):
    """`Authorization: Bearer <access token>`. Ninja's own class would log the header of another scheme.

    Raises RateLimitedError for a valid token with too many calls.
    """

    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> AccessToken | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        token = tokens.find_valid_token(secret) if scheme.lower() == "bearer" else None
        if token is not None and (delay := tokens.count_call(token, settings.API_CALLS_PER_MINUTE)):
            raise RateLimitedError(delay)
        return token


class ErrorOut(Schema):
    """Why the request was refused."""

    error: str = Field(description="A sentence for a person")
    line: int | None = Field(None, description="Number of the item or patch with the error, from 1")


class RateLimitedError(Exception):
    """The access token has made its calls of this minute; `delay` is in seconds."""

    def __init__(self, delay: int) -> None:
        super().__init__(delay)
        self.delay = delay


class RequestRejected(ValueError):
    """The request was refused; the message is a sentence. `line` is the number of the faulty item or patch, from 1."""

    def __init__(self, message: str, line: int | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.line, self.status = line, status


def get_token(request: HttpRequest) -> AccessToken:
    """Return the request's access token. Only it decides the project, nothing else that the client sends."""
    token: AccessToken = request.auth  # type: ignore[attr-defined]
    return token


def parse_body(request: HttpRequest) -> Any:
    """Parse the body as strict JSON, whatever its content type. Raises RequestRejected."""
    try:
        return canonical_json.parse_input(request.body)
    except RequestDataTooBig:
        raise RequestRejected("The body is larger than 2 MB. Split the call.", status=413) from None
    except canonical_json.InvalidJSONError as error:
        raise RequestRejected(f"The body cannot be read: {error}") from None


def refuse_unknown_fields(body: dict[str, Any], allowed: set[str], line: int | None = None) -> None:
    """Raises RequestRejected, naming the first field that is not allowed."""
    if unknown := sorted(body.keys() - allowed):
        name = unknown[0][:40].encode("utf-8", "replace").decode()
        names = ", ".join(sorted(allowed))
        raise RequestRejected(f"Unknown field “{name}”. Allowed: {names}.", line)


def error_response(error: RequestRejected, noun: str, outcome: str) -> Status[dict[str, object]]:
    """The response to a refused request. `noun` names what a line is, `outcome` says that nothing was changed."""
    message = f"{noun} {error.line}: {error} {outcome}" if error.line else f"{error} {outcome}"
    # The sentence may quote half a character, which is no valid JSON.
    return Status(error.status, {"error": to_storable_text(message), "line": error.line})
