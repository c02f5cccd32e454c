"""JSON with every number spelled as it was written: 1.10, 1e999, -0 and 30 digits stay what they are.

Only a number that Python's own types would respell becomes a `Number`, so that plain JSON is read and written at the
speed of the standard library.
"""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Self

_INTEGER_DIGITS = 20


class Number(Decimal):
    """A number with its spelling, `text`; its value is infinite if no Decimal can hold it."""

    text: str

    def __new__(cls, text: str, value: Decimal | None = None) -> Self:
        try:
            number = super().__new__(cls, text if value is None else value)
        except InvalidOperation:
            number = super().__new__(cls, "Infinity")
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def loads(text: str, *, has_constants: bool = False) -> Any:
    """Parse JSON. A key twice in one object is refused, since one of its values would be lost.

    With `has_constants`, NaN and Infinity, which JSON does not have, are Numbers. Raises ValueError, RecursionError.
    """
    return json.loads(
        text, object_pairs_hook=_build_object, parse_float=_parse_float, parse_int=_parse_int,
        parse_constant=Number if has_constants else _refuse_constant,
    )  # fmt: skip


def dumps(value: Any, separators: tuple[str, str] = (",", ":")) -> str:
    """Write a value that `loads` returned, or any of JSON's types and Decimals. Raises TypeError, RecursionError."""
    try:
        encoder = json.JSONEncoder(ensure_ascii=False, separators=separators, default=_refuse_decimal)
        return encoder.encode(value)
    except _DecimalInsideError:
        return _write(value, separators)


def is_json(text: str) -> bool:
    """Whether the text is JSON, with numbers of any length, NaN, Infinity and repeated keys. Raises RecursionError."""
    try:
        json.loads(text, parse_int=str)
    except ValueError:
        return False
    return True


class _DecimalInsideError(Exception):
    """The standard library cannot write the value."""


def _refuse_decimal(value: Any) -> Any:
    raise _DecimalInsideError if isinstance(value, Decimal) else TypeError(f"A {type(value).__name__} is not JSON.")


def _write(value: Any, separators: tuple[str, str]) -> str:
    if isinstance(value, Decimal):
        return str(value)
    comma, colon = separators
    if isinstance(value, dict):
        members = (f"{_write_key(key)}{colon}{_write(item, separators)}" for key, item in value.items())
        return "{" + comma.join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + comma.join([_write(item, separators) for item in value]) + "]"
    return _write_scalar(value)


_write_scalar: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False).encode


def _write_key(key: Any) -> str:
    return _write_scalar(key if isinstance(key, str) else str(key))


def _build_object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key appears twice in one object")
    return members


def _parse_float(digits: str) -> float | Number:
    number = float(digits)
    return number if repr(number) == digits else Number(digits)


def _parse_int(digits: str) -> int | Number:
    return int(digits) if len(digits) <= _INTEGER_DIGITS and digits != "-0" else Number(digits)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
