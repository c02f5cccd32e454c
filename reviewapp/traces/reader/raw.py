"""A span as it is stored: a tree of JSON values, its numbers as written and its repeated keys kept."""

import json
from collections.abc import Sequence
from typing import Any

from reviewapp.traces.models import Span

# A longer text is only taken apart when its own node is opened.
PARSE_AT_ONCE = 50_000
PARSE_LIMIT = 16_000_000
_FIELDS = (
    "name", "span_id", "parent_span_id", "span_type", "status", "start_time", "end_time", "model", "total_tokens",
    "total_cost", "input", "output", "attributes", "event_texts",
)  # fmt: skip
_JSON = {"input", "output", "attributes", "event_texts"}


class Number(str):
    """A number, or a constant, in the spelling it was stored in."""


class Members(list[tuple[str, Any]]):
    """An object's members in their order."""


class Unread(str):
    """A stored text too long to be taken apart along with others."""


def fields(span: Span, opened: int | None = None) -> Members:
    """A span's columns as one object; long texts in it stay `Unread` but for the one at position `opened`."""
    found = Members()
    for at, name in enumerate(_FIELDS):
        value = getattr(span, name)
        if name in _JSON:
            value = parsed(value) if at == opened or len(value) <= PARSE_AT_ONCE else Unread(value)
        elif isinstance(value, (int, float)) or value is None:
            value = Number("null" if value is None else value)
        found.append((name.removesuffix("_texts"), value if isinstance(value, (str, list)) else str(value)))
    return found


def parsed(text: str) -> Any:
    """The JSON value that a stored text spells, or the text itself."""
    if len(text) > PARSE_LIMIT:
        return text
    try:
        return json.loads(text, object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        return text


def reach(span: Span, path: Sequence[int]) -> Any:
    """The value at a path of positions in a span; None is a node that is not there, as null is a Number."""
    value: Any = fields(span, path[0] if path else None)
    for at in path:
        if not isinstance(value, list) or at >= len(value):
            return None
        value = value[at][1] if isinstance(value, Members) else value[at]
        value = Number("null") if value is None else value
    return value
