"""Canonical JSON: one spelling per value, so that equal values are equal texts.

Whole numbers are written as integers (`1`, never `1.0`): Laminar's filter compares the
stored text, where `1` does not match `1.0`. Keys are sorted, white space is dropped.
"""

import json
import math
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from reviewapp.lib.shortening import shorten

MAX_DEPTH = 64
MAX_DIGITS = 400


class InvalidJSONError(ValueError):
    """The value cannot be sent as JSON; the message is a sentence for a person."""


class ChangedNumberError(InvalidJSONError):
    """A number has more digits than Laminar keeps, or a sign that it drops."""


def dumps(value: Any) -> str:
    """Return the canonical text of a JSON value. Raises InvalidJSONError."""
    return json.dumps(normalize(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def normalize(value: Any, depth: int = 0) -> Any:
    """Return the same JSON value with each number in its canonical spelling. Raises InvalidJSONError."""
    if depth > MAX_DEPTH:
        raise InvalidJSONError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _check_text(value)
    if isinstance(value, (int, float, Decimal)):
        return _normalize_number(value)
    if isinstance(value, dict):
        return {_check_key(key): normalize(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalize(item, depth + 1) for item in value]
    raise InvalidJSONError(f"A {type(value).__name__} is not a JSON value.")


def loads(text: str | bytes) -> Any:
    """Parse and normalize a value that is to be stored or sent. Raises InvalidJSONError."""
    return normalize(parse(text))


def parse(
    text: str | bytes,
    *,
    parse_float: Callable[[str], float] = float,
    parse_int: Callable[[str], int] | None = None,
) -> Any:
    """Parse strict JSON in UTF-8, values unchanged: no repeated keys, NaN or Infinity. Raises InvalidJSONError."""
    try:
        decoded = text if isinstance(text, str) else text.decode()
        return json.loads(
            decoded, object_pairs_hook=_build_object, parse_constant=_refuse_constant,
            parse_float=parse_float, parse_int=parse_int or _parse_integer,
        )  # fmt: skip
    except InvalidJSONError:
        raise
    except RecursionError:
        raise InvalidJSONError(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:
        raise InvalidJSONError(f"This is not valid JSON: {error}.") from None


def parse_input(text: str | bytes) -> Any:
    """Parse what a person or a program gave to be stored. Raises InvalidJSONError.

    Raises ChangedNumberError, which is one, for a number that cannot be stored as it was written.
    """
    return parse(text, parse_float=_parse_exact_float, parse_int=_parse_exact_integer)


def raw_members(text: str) -> dict[str, str]:
    """Return the top-level members of a JSON object as key -> text of the value, its spelling unchanged.

    Laminar compares a value's stored text, where 1.0 and 1 differ; parsing would lose the difference.
    Raises ValueError when `text` is not a JSON object.
    """
    decoder = json.JSONDecoder()
    members: dict[str, str] = {}
    position = _skip_token(text, 0, "{")
    while text[position : position + 1] != "}":
        if members:
            position = _skip_token(text, position, ",")
        key, end = decoder.raw_decode(text, position)
        if not isinstance(key, str):
            raise ValueError("a key of a JSON object must be a string")
        start = _skip_token(text, end, ":")
        _, end = decoder.raw_decode(text, start)
        members[key] = text[start:end]
        position = _skip_space(text, end)
    if _skip_space(text, position + 1) != len(text):
        raise ValueError("text after the JSON object")
    return members


def _skip_token(text: str, position: int, token: str) -> int:
    """The position after `token` and the white space around it. Raises ValueError."""
    position = _skip_space(text, position)
    if text[position : position + 1] != token:
        raise ValueError(f"expected {token} in a JSON object")
    return _skip_space(text, position + 1)


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _check_text(value: str) -> str:
    if "\x00" in value:
        raise InvalidJSONError("A text contains a NUL character, which Laminar drops silently. Remove it.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidJSONError("A text contains half of a character (a lone surrogate). Remove it.") from None
    return value


def _check_key(key: Any) -> str:
    if not isinstance(key, str):
        raise InvalidJSONError("The keys of a JSON object must be strings.")
    return _check_text(key)


def _normalize_number(value: int | float | Decimal) -> int | float:
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise InvalidJSONError("A number is infinite or NaN, which JSON cannot express.")
    if value == int(value) and abs(int(value)) < 10**21:
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        raise InvalidJSONError("A number is too large for JSON.")
    return number


def _build_object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise InvalidJSONError(f"The key “{shorten(key, 80)}” appears twice in one JSON object.")
        members[key] = value
    return members


def _refuse_constant(name: str) -> None:
    raise InvalidJSONError(f"{name} is not a JSON number.")


def _parse_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidJSONError(f"A number has more than {MAX_DIGITS} digits.")
    return int(digits)


def _parse_exact_integer(digits: str) -> int:
    number = _parse_integer(digits)
    if digits == "-0":
        raise _changed_number(digits, "0")
    # Laminar reads larger numbers as floats.
    if not -(2**63) <= number < 2**64 and (abs(number) >= 2**1023 or int(float(number)) != number):
        raise _changed_number(digits, "")
    return number


def _parse_exact_float(digits: str) -> float:
    number = float(digits)
    try:
        is_exact = not math.isfinite(number) or Decimal(repr(number)) == Decimal(digits)
    except InvalidOperation:
        is_exact = False
    if not is_exact or (number == 0 and digits.startswith("-")):
        raise _changed_number(digits, "0" if number == 0 else repr(number))
    return number


def _changed_number(digits: str, rounded: str) -> ChangedNumberError:
    shown = shorten(digits, 40)
    instead = f"Write {rounded}, or put it" if rounded else "Put it"
    return ChangedNumberError(
        f"Laminar would change the number {shown}. {instead} in double quotes to keep it as a text."
    )
