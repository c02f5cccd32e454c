"""`key=value` pairs, the exact conditions of a filter view, and metadata values as they are written in a filter."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.metadata.merge import parse_members

MAX_PAIRS = 12
# Characters of a value, and values of a trace, that a row of the trace list shows.
PREVIEW_LENGTH = 40
MAX_PREVIEW_VALUES = 8


class Pair(NamedTuple):
    """One exact condition of a filter view."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class FilterError(ValueError):
    """A filter cannot be read; the message is a sentence for the user."""


def parse_pairs(texts: Sequence[str]) -> list[Pair]:
    """Parse `key=value` texts; a value may have further equals signs. Raises FilterError."""
    pairs: list[Pair] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise FilterError(f"“{shorten(text, 80)}” is not a condition. Write it as key=value.")
        if "\x00" in text:
            raise FilterError("A condition contains a NUL character. Remove it.")
        if Pair(key, value) not in pairs:
            pairs.append(Pair(key, value))
    if len(pairs) > MAX_PAIRS:
        raise FilterError(f"A view can have at most {MAX_PAIRS} conditions. Remove some.")
    return pairs


def display_value(raw: str) -> str:
    """A stored JSON text as it is written in a filter: a string without its quotes."""
    if raw.startswith('"'):
        try:
            return to_storable_text(str(json.loads(raw)))
        except ValueError:
            return raw
    return raw


def preview_values(text: str) -> list[tuple[str, str]]:
    """The first few keys and values of a metadata text, truncated, as they are written in a filter."""
    values = [
        (key, raw if raw[:1] in ("{", "[") else display_value(raw)) for key, raw in sorted(parse_members(text).items())
    ]
    return [(key, shorten(value, PREVIEW_LENGTH)) for key, value in values][:MAX_PREVIEW_VALUES]
