"""`key=value` pairs: the exact conditions of a filter view, and metadata values as one writes them in a filter."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.metadata.merge import parse_members

MAX_PAIRS = 12
# Characters of a value that a row of a list shows.
PREVIEW_LENGTH = 40


class Pair(NamedTuple):
    """One exact condition of a filter view."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class FilterError(ValueError):
    """A condition cannot be read; the message is a sentence for a person."""


def parse_pairs(texts: Sequence[str]) -> list[Pair]:
    """`key=value` texts as pairs; only the first `=` divides, so that values may hold more. Raises NotAPair."""
    pairs: list[Pair] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise FilterError(f"“{text[:80]}” is not a condition: write it as key=value.")
        if "\x00" in text:
            raise FilterError("A condition holds a NUL character. Remove it.")
        if Pair(key, value) not in pairs:
            pairs.append(Pair(key, value))
    if len(pairs) > MAX_PAIRS:
        raise FilterError(f"A view takes {MAX_PAIRS} conditions at most. Remove some.")
    return pairs


def display_value(raw: str) -> str:
    """A stored JSON text as the value one would write in a filter: a string without its quotes."""
    if raw.startswith('"'):
        try:
            return to_storable_text(str(json.loads(raw)))
        except ValueError:
            return raw
    return raw


def preview_values(text: str) -> list[tuple[str, str]]:
    """The first few values of a metadata text, cut, as one writes them in a filter: what a list shows."""
    found = [
        (key, raw if raw[:1] in ("{", "[") else display_value(raw)) for key, raw in sorted(parse_members(text).items())
    ]
    return [
        (key, value if len(value) <= PREVIEW_LENGTH else f"{value[: PREVIEW_LENGTH - 1]}…") for key, value in found
    ][:8]
