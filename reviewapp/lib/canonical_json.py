"""One spelling per JSON value, so that equal values are equal texts.

Numbers that are whole are written as integers (`1`, never `1.0`): Laminar's filter compares the
stored text, and `1.0` there is not found by `1`. Keys are sorted, white space is dropped.
"""

import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

MAX_DEPTH = 64
MAX_DIGITS = 400


class InvalidJSONError(ValueError):
    """The value cannot be sent as JSON; the message is a sentence for a person."""


def dumps(value: Any) -> str:
    """The canonical text of a JSON value. Raises NotCanonical."""
    return json.dumps(normalize(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def normalize(value: Any, depth: int = 0) -> Any:
    """The same JSON value with each number in its one spelling. Raises NotCanonical."""
    if depth > MAX_DEPTH:
        raise InvalidJSONError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, dict):
        return {_key(key): normalize(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalize(item, depth + 1) for item in value]
    raise InvalidJSONError(f"A {type(value).__name__} is not a JSON value.")


def loads(text: str | bytes) -> Any:
    """`parse`, and the value in its normal form: what we are given to keep or to send. Raises NotCanonical."""
    return normalize(parse(text))


def parse(text: str | bytes) -> Any:
    """Read strict JSON in UTF-8, values as they are: no repeated keys, no NaN or Infinity. Raises NotCanonical."""
    try:
        plain = text if isinstance(text, str) else text.decode()
        return json.loads(plain, object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer)
    except InvalidJSONError:
        raise
    except RecursionError:
        raise InvalidJSONError(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:
        raise InvalidJSONError(f"This is not valid JSON: {error}.") from None


def raw_members(text: str) -> dict[str, str]:
    """The top-level members of a JSON object as key -> its value's own text, spelling kept.

    Laminar compares a value's stored text, where 1.0 and 1 differ; parsing would lose that.
    Raises ValueError when `text` is not a JSON object.
    """
    decoder = json.JSONDecoder()
    members: dict[str, str] = {}
    at = _past(text, 0, "{")
    while text[at : at + 1] != "}":
        if members:
            at = _past(text, at, ",")
        key, end = decoder.raw_decode(text, at)
        if not isinstance(key, str):
            raise ValueError("a JSON object's keys are texts")
        start = _past(text, end, ":")
        _, end = decoder.raw_decode(text, start)
        members[key] = text[start:end]
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError("more than a JSON object")
    return members


def _past(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign} where a JSON object needs one")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _text(value: str) -> str:
    if "\x00" in value:
        raise InvalidJSONError("A text holds a NUL character, which Laminar drops without a word. Remove it.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidJSONError("A text holds half of a character (a lone surrogate). Remove it.") from None
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise InvalidJSONError("A JSON object's keys are texts.")
    return _text(key)


def _number(value: int | float | Decimal) -> int | float:
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise InvalidJSONError("A number is infinite or not a number, which JSON cannot carry.")
    if value == int(value) and abs(int(value)) < 10**21:
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        raise InvalidJSONError("A number is too large for JSON.")
    return number


def _pairs(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidJSONError(f"The key “{key[:80]}” appears twice in one JSON object.")
        found[key] = value
    return found


def _constant(name: str) -> None:
    raise InvalidJSONError(f"{name} is not a JSON number.")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidJSONError(f"A number has more than {MAX_DIGITS} digits.")
    return int(digits)
