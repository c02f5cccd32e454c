"""Laminar's ways of answering, to the byte: nothing, a text, a JSON value."""

import json
from typing import Any

from django.http import HttpResponse


class Refused(Exception):
    """The request is answered early, with this status and body."""

    def __init__(self, status: int, body: str, content_type: str = "text/plain; charset=utf-8") -> None:
        super().__init__(body)
        self.answer = _answer(status, body.encode(), content_type)


def empty(status: int) -> HttpResponse:
    """No body and no content type."""
    response = HttpResponse(status=status, headers={"Content-Length": "0"})
    del response["Content-Type"]
    return response


def text(body: str, status: int = 200) -> HttpResponse:
    """Plain text."""
    return _answer(status, body.encode(), "text/plain; charset=utf-8")


def value(body: Any, status: int = 200) -> HttpResponse:
    """A JSON value, compact."""
    return encoded(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), status)


def encoded(body: bytes, status: int = 200) -> HttpResponse:
    """A JSON value that is already bytes."""
    return _answer(status, body, "application/json")


def _answer(status: int, body: bytes, content_type: str) -> HttpResponse:
    return HttpResponse(body, status=status, content_type=content_type, headers={"Content-Length": str(len(body))})
