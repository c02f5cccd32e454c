"""Make response texts safe to show to people: without the key, and without characters that affect a page or a log."""

import re

from reviewapp.lib import canonical_json
from reviewapp.lib.shortening import shorten

MAX_DISPLAY_LENGTH = 500
# From the first backslash of a run on: from each one, a long run would take the square of its length.
UNICODE_ESCAPE = re.compile(r"(?<!\\)\\++u([0-9a-f]{4})", re.IGNORECASE)


def display_body(body: bytes, key: str) -> str:
    """Return the first 500 characters of a body, without the key, control characters and direction marks."""
    return clean(body[: 8 * MAX_DISPLAY_LENGTH].decode("utf-8", "replace"), key)


def extract_message(body: bytes, key: str) -> str:
    """Return the error message in a body, from its JSON if it is JSON, safe to show; "" for a web page."""
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        return ""
    try:
        content = canonical_json.parse(text)
    except canonical_json.InvalidJSONError:
        content = None
    message = content.get("error") if isinstance(content, dict) else content
    return clean((message if isinstance(message, str) else text)[: 8 * MAX_DISPLAY_LENGTH], key)


def clean(text: str, key: str) -> str:
    """Return the first 500 characters of a text, safe to show. JSON escapes are decoded first, so none is missed."""
    text = redact_key(UNICODE_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text), key)
    return shorten("".join(char if char.isprintable() else " " for char in text).strip(), MAX_DISPLAY_LENGTH)


def redact_key(text: str, key: str) -> str:
    """Replace each part of the key of eight characters or more, in any letter case, with `[key]`."""
    size = min(8, len(key))
    parts = {re.escape(key[start : start + size]) for start in range(len(key) - size + 1)}
    is_hidden = bytearray(len(text))
    for match in re.finditer(f"(?=({'|'.join(parts)}))", text, re.IGNORECASE):
        is_hidden[match.start(1) : match.end(1)] = b"\x01" * size
    pieces = re.finditer(b"\x01+|\x00+", is_hidden)
    return "".join("[key]" if piece[0][0] else text[piece.start() : piece.end()] for piece in pieces)
