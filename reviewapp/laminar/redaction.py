"""Make response texts safe to show to people: without the key, and without characters that affect a page or a log."""

import base64
import re
from collections import defaultdict

from reviewapp.lib import canonical_json
from reviewapp.lib.shortening import shorten

MAX_DISPLAY_LENGTH = 500
# From the first backslash of a run on: from each one, a long run would take the square of its length.
UNICODE_ESCAPE = re.compile(r"(?<!\\)\\++u([0-9a-f]{4})", re.IGNORECASE)
# A character of a text, as it is or encoded.
ENCODED_CHAR = re.compile(
    r"%(?:25)*(?P<percent>[0-9a-f]{2})|\\++(?:u(?P<escape>[0-9a-f]{4})|x(?P<byte>[0-9a-f]{2}))?"
    r"|&#(?:x(?P<hex_reference>[0-9a-f]{1,6})|(?P<reference>[0-9]{1,7}));|.",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
HEX_PREFIX = re.compile("0x", re.IGNORECASE)
# Characters of the key that are hidden wherever they stand together.
MIN_PART = 8


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
    """Replace each part of the key of eight characters or more with `[key]`, in whatever way it is written.

    That is: in any letter case, backwards, with separators between its characters, percent-encoded, as character
    references or escapes, in hexadecimal, base64 or base32. Takes time in proportion to the text.
    """
    windows = _make_windows(key)
    is_hidden = bytearray(len(text))
    # Also without the prefix of hexadecimal numbers, which the key itself may contain.
    for version in {text, HEX_PREFIX.sub("  ", text)}:
        letters, spans = _read_letters(version)
        for size, parts in windows.items():
            for start in range(len(letters) - size + 1):
                if letters[start : start + size] in parts:
                    first, last = spans[start][0], spans[start + size - 1][1]
                    is_hidden[first:last] = b"\x01" * (last - first)
    pieces = re.finditer(b"\x01+|\x00+", is_hidden)
    return "".join("[key]" if piece[0][0] else text[piece.start() : piece.end()] for piece in pieces)


def _read_letters(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The letters and digits of a text in small letters, decoded, and where each of them stands in the text."""
    letters, spans = [], []
    for match in ENCODED_CHAR.finditer(text):
        code = match["percent"] or match["escape"] or match["byte"] or match["hex_reference"]
        number = int(match["reference"]) if match["reference"] else int(code, 16) if code else None
        char = match[0] if number is None else chr(number) if number < 128 else ""
        if len(char) == 1 and char.isascii() and char.isalnum():
            letters.append(char.lower())
            spans.append(match.span())
    return "".join(letters), spans


def _make_windows(key: str) -> dict[int, set[str]]:
    """What to look for among the letters of a text, by length: each spelling of each part of the key."""
    letters = _only_letters(key)
    windows: dict[int, set[str]] = defaultdict(set)
    _add_windows(windows, letters, MIN_PART)
    _add_windows(windows, letters[::-1], MIN_PART)
    if len(letters) >= MIN_PART:
        secret = key.encode()
        _add_windows(windows, secret.hex(), 2 * MIN_PART)
        for encode, group, bits in ((base64.b64encode, 3, 6), (base64.b32encode, 5, 5)):
            # Whatever stands before the key shifts how it is written.
            for shift in range(group):
                encoded = encode(b"\0" * shift + secret).decode()
                start, end = -(-shift * 8 // bits), (shift + len(secret)) * 8 // bits
                _add_windows(windows, _only_letters(encoded[start:end]), MIN_PART * 8 // bits)
    return windows


def _add_windows(windows: dict[int, set[str]], letters: str, size: int) -> None:
    size = min(size, len(letters))
    if size:
        windows[size].update(letters[start : start + size] for start in range(len(letters) - size + 1))


def _only_letters(text: str) -> str:
    return "".join(char.lower() for char in text if char.isascii() and char.isalnum())
