"""HTTP responses that match Laminar's byte for byte: empty, plain text or JSON."""

import json
from typing import Any

from django.http import HttpResponse


class RequestError(Exception):
    """The request is refused; `response` has the status and body to send."""

    def __init__(self, status: int, body: str, content_type: str = "text/plain; charset=utf-8") -> None:
        super().__init__(body)
        self.response = _build(status, body.encode(), content_type)


def empty(status: int) -> HttpResponse:
    """A response without body and content type."""
    response = HttpResponse(status=status, headers={"Content-Length": "0"})
    del response["Content-Type"]
    return response


def text(body: str, status: int = 200) -> HttpResponse:
    """A plain text response."""
    return _build(status, body.encode(), "text/plain; charset=utf-8")


def json_value(body: Any, status: int = 200) -> HttpResponse:
    """A JSON response, compact."""
    return json_bytes(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), status)


def json_bytes(body: bytes, status: int = 200) -> HttpResponse:
    """A response from JSON that is already encoded."""
    return _build(status, body, "application/json")


def protobuf(body: bytes) -> HttpResponse:
    """A response of an encoded protobuf message."""
    return _build(200, body, "application/x-protobuf")


def unavailable() -> HttpResponse:
    """The 503 for a request that was not saved, and can be sent again."""
    response = text("The trace store cannot use its database now. Nothing was saved. Send the request again.", 503)
    response["Retry-After"] = "5"
    return response


def _build(status: int, body: bytes, content_type: str) -> HttpResponse:
    return HttpResponse(body, status=status, content_type=content_type, headers={"Content-Length": str(len(body))})
