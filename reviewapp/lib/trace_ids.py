"""Trace ids: 128 bits that people and programs spell in several ways."""

import re
from uuid import UUID

from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text

_HEX = "[0-9a-fA-F]"
_HYPHENATED = rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
# The four spellings that Laminar's own parser accepts, in any case. JSON Schema reads the same expression.
PATTERN = rf"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?(?:\{{{_HYPHENATED}\}}|{_HYPHENATED}|{_HEX}{{32}})"
_SPELLING = re.compile(PATTERN)
_LINK_ID = re.compile(r"/traces/([0-9a-fA-F-]{32,36})(?:/|$)")


class InvalidTraceIdError(ValueError):
    """The text is not a trace id; the message is a sentence for a person."""


def parse(text: str) -> UUID:
    """Parse a trace id: hyphenated, 32 hex digits, {braced} or urn:uuid:. Raises InvalidTraceIdError."""
    stripped = text.strip()
    if not _SPELLING.fullmatch(stripped):
        raise InvalidTraceIdError(
            f"“{to_storable_text(shorten(stripped, 60))}” is not a trace id. Use a UUID or 32 hex digits."
        )
    return UUID(stripped.lower())


def parse_link(text: str) -> UUID:
    """Parse a trace id, or find it in a link to the trace. Raises InvalidTraceIdError."""
    return parse(_find_link_id(text.strip()) or text)


def _find_link_id(word: str) -> str:
    """Return the trace id in a link to a trace in Laminar, as copied from the address bar; empty if it is none.

    The link is of the trace's own page, or of the panel beside the list of traces.
    """
    scheme, _, address = word.partition("://")
    if scheme not in ("http", "https"):
        return ""
    path, _, query = address.partition("#")[0].partition("?")
    if path.endswith("/traces"):
        fields = (field.partition("=") for field in query.split("&"))
        return next((value for name, _, value in fields if name == "traceId"), "")
    link_id = _LINK_ID.search(path)
    return link_id[1] if link_id else ""
