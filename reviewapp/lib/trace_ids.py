"""Trace ids: 128 bits that people and programs spell in several ways."""

import re
from uuid import UUID

from reviewapp.lib.storable_text import to_storable_text

_HEX = "[0-9a-fA-F]"
_HYPHENATED = rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
# The four spellings that Laminar's own parser accepts, in any case. JSON Schema reads the same expression.
PATTERN = rf"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?(?:\{{{_HYPHENATED}\}}|{_HYPHENATED}|{_HEX}{{32}})"
_SPELLING = re.compile(PATTERN)


class InvalidTraceIdError(ValueError):
    """The text is not a trace id; the message is a sentence for a person."""


def parse(text: str) -> UUID:
    """Parse a trace id: hyphenated, 32 hex digits, {braced} or urn:uuid:. Raises InvalidTraceIdError."""
    stripped = text.strip()
    if not _SPELLING.fullmatch(stripped):
        raise InvalidTraceIdError(
            f"“{to_storable_text(stripped[:60])}” is not a trace id. Use a UUID or 32 hex digits."
        )
    return UUID(stripped.lower())
