"""What the calls of the API share: who may call, and how one that cannot be taken is answered."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja import Schema, Status
from ninja.security.http import HttpAuthBase

from reviewapp.keys import tokens
from reviewapp.keys.models import AccessToken
from reviewapp.lib import canonical_json


class AccessTokenAuth(HttpAuthBase):
    """`Authorization: Bearer <access token>`. Ninja's own class would log what stands there under another scheme."""

    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> AccessToken | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        return tokens.find_valid_token(secret) if scheme.lower() == "bearer" else None


class ErrorOut(Schema):
    """Why nothing was done, as a sentence; `line` is the number of the item or patch at fault, from 1."""

    error: str
    line: int | None = None


class RequestRejected(ValueError):
    """The call cannot be taken; the message is a sentence. `line` is the number of what is at fault, from 1."""

    def __init__(self, message: str, line: int | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.line, self.status = line, status


def get_token(request: HttpRequest) -> AccessToken:
    """The token that the call came with: it says which project, nothing else the client sends does."""
    token: AccessToken = request.auth  # type: ignore[attr-defined]
    return token


def parse_body(request: HttpRequest) -> Any:
    """The body as strict JSON, whatever its content type says. Raises NotTaken."""
    try:
        return canonical_json.parse(request.body)
    except RequestDataTooBig:
        raise RequestRejected("The body is larger than 2 MB: split the call.", status=413) from None
    except canonical_json.InvalidJSONError as error:
        raise RequestRejected(f"The body is not the JSON it should be: {error}") from None


def error_response(error: RequestRejected, noun: str, then: str) -> Status[dict[str, object]]:
    """The answer to a call that was not taken: `noun` is what a line is, `then` says that nothing came of it."""
    said = f"{noun} {error.line}: {error} {then}" if error.line else f"{error} {then}"
    return Status(error.status, {"error": said, "line": error.line})
