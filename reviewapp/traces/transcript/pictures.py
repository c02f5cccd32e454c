"""Images embedded in a trace's messages as base64, shown on demand.

Only four formats are served, identified by their first bytes and never by the declared type: SVG and HTML can run code.
Remote images are never fetched.
"""

import base64
import binascii
import json
from hashlib import blake2b
from typing import NamedTuple

from reviewapp.traces.models import Span

# In bytes, decoded.
SIZE_LIMIT = 10_000_000
# In characters of base64.
MIN_LENGTH = 16
_TYPES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif", b"GIF89a": "image/gif",
}  # fmt: skip
_SUPPORTED = {"png", "jpeg", "jpg", "gif", "webp"}


class Picture(NamedTuple):
    content_type: str
    content: bytes


def is_supported(mime: str, payload: str) -> bool:
    """Whether an image of this declared type, in base64, can be shown."""
    return mime.removeprefix("image/") in _SUPPORTED and MIN_LENGTH <= len(payload) <= SIZE_LIMIT * 4 // 3 + 4


def digest(payload: str) -> str:
    """Return the name of an image within its span; it does not depend on how the trace is parsed."""
    return blake2b(payload.encode("utf-8", "replace"), digest_size=16).hexdigest()


def find_picture(span: Span, name: str) -> Picture | None:
    """Return the image with this name from a span's texts; None if there is none that can be shown.

    Every value is looked at, and hashed if it is as long as an image: the time is in proportion to the texts. JSON in a
    string in JSON is at most half as long as the text around it.
    """
    stack: list[object] = [span.input, span.output]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str) and value[:1] in ("{", "[", '"'):
            stack.append(_parse_json(value))
        elif isinstance(value, str) and len(value) >= MIN_LENGTH and digest(payload := _payload(value)) == name:
            return _decode(payload)
    return None


def _payload(text: str) -> str:
    return text.partition(",")[2] if text.startswith("data:") else text


def _parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _decode(payload: str) -> Picture | None:
    if len(payload) > SIZE_LIMIT * 4 // 3 + 4:
        return None
    try:
        content = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        return None
    content_type = next((mime for signature, mime in _TYPES.items() if content.startswith(signature)), "")
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        content_type = "image/webp"
    return Picture(content_type, content) if content_type and len(content) <= SIZE_LIMIT else None
