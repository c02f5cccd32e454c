"""Parse a JSON list of which some elements break a rule of Laminar's parser, so that only they are refused.

The rules are those of `jsonb.loads`: no NaN, no number that a float cannot hold, no half of a character, no deep
nesting.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any

from reviewapp.tracestore import jsonb

# A bracket inside a string does not nest. The closing quote may be missing: looking for it again from each quote would
# take the square of the text's length.
_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{}]', re.DOTALL)
# What replaces a value that is nested too deeply; JSON does not have it, so it is refused like any other NaN.
_TOO_DEEP = "NaN"


@dataclass(frozen=True, slots=True)
class Invalid:
    """Stands for an element that cannot be used."""

    reason: str


def loads(raw: bytes, element_depth: int) -> Any:
    """Parse JSON; what is nested `element_depth` deep and breaks a rule is an Invalid. Raises ValueError."""
    try:
        return jsonb.loads(raw)
    except ValueError as error:
        reason = str(error)
    invalid = Invalid(reason)
    decoder = JSONDecoder(
        parse_float=lambda digits: _parse_number(jsonb.parse_float, digits, invalid),
        parse_int=lambda digits: _parse_number(jsonb.parse_int, digits, invalid),
        parse_constant=lambda _: invalid,
    )
    try:
        # A body that is no JSON at all keeps its first error.
        value = decoder.decode(_cut_deep_values(raw.decode(errors="surrogateescape")))
    except (ValueError, RecursionError):
        raise ValueError(reason) from None
    return _replace_invalid(value, invalid, element_depth)


def _parse_number(parse: Callable[[str], Any], digits: str, invalid: Invalid) -> Any:
    try:
        return parse(digits)
    except ValueError:
        return invalid


def _cut_deep_values(text: str) -> str:
    """Replace each value that is nested too deeply, without recursion."""
    pieces, depth, end = [], 0, 0
    for token in _TOKENS.finditer(text):
        opens, closes = token[0] in ("{", "["), token[0] in ("}", "]")
        depth += opens - closes
        if opens and depth == jsonb.MAX_DEPTH:
            pieces.append(text[end : token.start()])
        elif closes and depth == jsonb.MAX_DEPTH - 1:
            pieces.append(_TOO_DEEP)
            end = token.end()
    # If the last value is not closed, the text is no JSON, as it was before.
    return "".join([*pieces, text[end:]])


def _replace_invalid(value: Any, invalid: Invalid, levels: int) -> Any:
    """Replace a value by `invalid` if a part of it is, unless it contains what is still `levels` levels below."""
    if isinstance(value, str):
        return value if _is_text(value) else invalid
    if isinstance(value, list):
        items = [_replace_invalid(item, invalid, levels - 1) for item in value]
        return invalid if levels <= 0 and invalid in items else items
    if isinstance(value, dict):
        members = {key: _replace_invalid(item, invalid, levels - 1) for key, item in value.items()}
        is_invalid = not all(map(_is_text, members)) or invalid in members.values()
        return invalid if levels <= 0 and is_invalid else members
    return value


def _is_text(value: str) -> bool:
    """Whether it has no half of a character, and no byte that is not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
