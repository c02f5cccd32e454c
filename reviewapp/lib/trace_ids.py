"""Trace ids: 128 bits that people and programs spell in several ways."""

import re
from uuid import UUID

# Laminar's own parser takes these four spellings in any case, and no others.
_SPELLING = re.compile(
    r"(?:urn:uuid:)?(?:\{(?P<braced>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}"
    r"|(?P<plain>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}))",
    re.IGNORECASE | re.ASCII,
)


class InvalidTraceIdError(ValueError):
    """The text is not a trace id; the message is a sentence for a person."""


def parse(text: str) -> UUID:
    """The trace id that `text` spells: hyphenated, 32 hex digits, {braced} or urn:uuid:. Raises NotATraceId."""
    found = _SPELLING.fullmatch(text.strip())
    if found is None:
        shown = text.strip()[:60]
        raise InvalidTraceIdError(f"“{shown}” is not a trace id: give a UUID or 32 hex digits.")
    return UUID(found["braced"] or found["plain"])
