"""What of the far side's words may be shown to people: not the key, and nothing that plays with the page or a log."""

import re

from reviewapp.lib import canonical_json

SHOWN = 500
_ESCAPED = re.compile(r"\\+u([0-9a-f]{4})", re.IGNORECASE)


def shown(body: bytes, key: str) -> str:
    """The first 500 characters fit to be shown: without the key, control characters or direction marks."""
    return clean(body[: 8 * SHOWN].decode("utf-8", "replace"), key)


def words(body: bytes, key: str) -> str:
    """What an answer other than 200 says, out of its JSON where it is JSON, fit to be shown; "" for a web page."""
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        return ""
    try:
        said = canonical_json.parse(text)
    except canonical_json.InvalidJSONError:
        said = None
    said = said.get("error") if isinstance(said, dict) else said
    return clean((said if isinstance(said, str) else text)[: 8 * SHOWN], key)


def clean(text: str, key: str) -> str:
    """The first 500 characters of a text, fit to be shown; what JSON escapes is looked at as the sign that it is."""
    text = redact_key(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text), key)
    return "".join(mark if mark.isprintable() else " " for mark in text).strip()[:SHOWN]


def redact_key(text: str, key: str) -> str:
    """`text` with each part of the key of eight characters or more, in upper or lower case, as `[key]`."""
    size = min(8, len(key))
    parts = {re.escape(key[at : at + size]) for at in range(len(key) - size + 1)}
    hidden = bytearray(len(text))
    for part in re.finditer(f"(?=({'|'.join(parts)}))", text, re.IGNORECASE):
        hidden[part.start(1) : part.end(1)] = b"\x01" * size
    pieces = re.finditer(b"\x01+|\x00+", hidden)
    return "".join("[key]" if piece[0][0] else text[piece.start() : piece.end()] for piece in pieces)
