"""A span as stored: a tree of JSON values, with numbers as written and repeated keys preserved."""

import json
from collections.abc import Sequence
from typing import Any

from reviewapp.traces.models import Span

# In characters. A longer text is parsed only when its own node is opened.
PARSE_AT_ONCE = 50_000
PARSE_LIMIT = 16_000_000
_FIELDS = (
    "name", "span_id", "parent_span_id", "span_type", "status", "start_time", "end_time", "model", "total_tokens",
    "total_cost", "input", "output", "attributes", "event_texts",
)  # fmt: skip
_JSON_FIELDS = {"input", "output", "attributes", "event_texts"}


class Number(str):
    """A number or constant, spelled as it was stored."""


class Members(list[tuple[str, Any]]):
    """An object's members in order."""


class UnparsedText(str):
    """A stored text too long to be parsed together with others."""


def read_fields(span: Span, opened: int | None = None) -> Members:
    """Return a span's columns as one object; long texts stay `UnparsedText` except the one at position `opened`."""
    fields = Members()
    for index, name in enumerate(_FIELDS):
        value = getattr(span, name)
        if name in _JSON_FIELDS:
            is_parsed = index == opened or len(value) <= PARSE_AT_ONCE
            value = parse(value) if is_parsed else UnparsedText(value)
        elif isinstance(value, (int, float)) or value is None:
            value = Number("null" if value is None else value)
        fields.append((name.removesuffix("_texts"), value if isinstance(value, (str, list)) else str(value)))
    return fields


def parse(text: str) -> Any:
    """Return the JSON value of a stored text, or the text itself."""
    if len(text) > PARSE_LIMIT:
        return text
    try:
        return json.loads(text, object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        return text


def find_node(span: Span, path: Sequence[int]) -> Any:
    """Return the value at a path of positions in a span; None if there is no such node, since null is a Number."""
    value: Any = read_fields(span, path[0] if path else None)
    for index in path:
        if not isinstance(value, list) or index >= len(value):
            return None
        value = value[index][1] if isinstance(value, Members) else value[index]
        value = Number("null") if value is None else value
    return value
