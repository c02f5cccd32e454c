"""Pictures that a trace carries in itself, as base64 in its messages: shown when somebody asks to see one.

Only four formats, known by their first bytes and never by what the trace says: SVG and HTML can act. What lies at an
address stays unread.
"""

import base64
import binascii
import json
from hashlib import blake2b
from typing import NamedTuple

from reviewapp.traces.models import Span

# In bytes, decoded; and so many values of a span are looked through.
SIZE_LIMIT = 10_000_000
VALUES_LIMIT = 20_000
SHORTEST = 16
_TYPES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif", b"GIF89a": "image/gif",
}  # fmt: skip
_SHOWN = {"png", "jpeg", "jpg", "gif", "webp"}


class Picture(NamedTuple):
    content_type: str
    content: bytes


def is_shown(mime: str, payload: str) -> bool:
    """Whether a picture said to be of this type, in base64, may be asked for."""
    return mime.removeprefix("image/") in _SHOWN and SHORTEST <= len(payload) <= SIZE_LIMIT * 4 // 3 + 4


def digest(payload: str) -> str:
    """The name of a picture in its span: it holds however the trace is read."""
    return blake2b(payload.encode("utf-8", "replace"), digest_size=16).hexdigest()


def find_picture(span: Span, name: str) -> Picture | None:
    """The picture with this name among all texts of a span; None without one that may be shown."""
    left = VALUES_LIMIT
    stack: list[object] = [span.input, span.output]
    while stack and (left := left - 1):
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str) and value[:1] in ("{", "[", '"'):
            stack.append(_parsed(value))
        elif isinstance(value, str) and digest(payload := _payload(value)) == name:
            return _decoded(payload)
    return None


def _payload(text: str) -> str:
    return text.partition(",")[2] if text.startswith("data:") else text


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _decoded(payload: str) -> Picture | None:
    if len(payload) > SIZE_LIMIT * 4 // 3 + 4:
        return None
    try:
        content = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = next((kind for begin, kind in _TYPES.items() if content.startswith(begin)), "")
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        kind = "image/webp"
    return Picture(kind, content) if kind and len(content) <= SIZE_LIMIT else None
