"""JSON text as Laminar stores trace metadata: keys sorted by length then bytes, compact, numbers as 64-bit floats.

Its server reads numbers as integers or floats, and PostgreSQL's jsonb keeps what the server writes. Filters compare
the stored text, so every character matters: `1.0` stays `1.0`, `1e2` becomes `100.0`, `0.10` becomes `0.1`.
"""

import json
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from reviewapp.lib import exact_json

# Nesting limit of Rust's JSON parser, which reads the request before jsonb does.
MAX_DEPTH = 128
_INTEGER_DIGITS = 20
# Whole numbers that Laminar's server keeps exactly; all others pass through 64-bit floats.
_INTEGERS = range(-(2**63), 2**64)
# Where the decimal point may be for a number to be written without an exponent.
_MIN_POINT, _MAX_POINT = -5, 16
_MAX_ZEROS = 20

_quoted: Callable[[str], str] = json.JSONEncoder(ensure_ascii=False).encode
# Finds the end of a value; numbers stay texts, since they are not used.
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_float=str, parse_int=str).raw_decode


class UnstorableError(ValueError):
    """jsonb cannot store the value: a string contains NUL."""


def parse_float(digits: str) -> Decimal:
    """Parse a number with a fraction or an exponent exactly. Raises ValueError if no 64-bit float can hold it."""
    if not math.isfinite(float(digits)):
        raise ValueError("number out of range")
    try:
        number = Decimal(digits)
    except InvalidOperation:
        # The exponent is so small that it is no Decimal.
        return Decimal("0.0")
    # Written out, `0e-9999999` would have as many zeros.
    if not number and number.adjusted() < -_MAX_ZEROS:
        return Decimal("0.0")
    return number if str(number) == digits else exact_json.Number(digits)


def parse_int(digits: str) -> int | Decimal:
    """Parse a whole number exactly. Raises ValueError if no 64-bit float can hold it."""
    if len(digits) <= _INTEGER_DIGITS + 1 and int(digits) in _INTEGERS:
        return exact_json.Number(digits) if digits == "-0" else int(digits)
    # Laminar's server reads larger numbers as floats.
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return exact_json.Number(digits, Decimal(repr(number)).to_integral_value())


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_decode: Callable[[str], Any] = json.JSONDecoder(
    parse_float=parse_float, parse_int=parse_int, parse_constant=_refuse_constant
).decode


def loads(text: str | bytes) -> Any:
    """Parse strict JSON with exact numbers. Raises ValueError."""
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        value = _decode(decoded)
    except RecursionError:
        raise ValueError("recursion limit exceeded") from None
    if is_text_deep(decoded, value):
        raise ValueError("recursion limit exceeded")
    if ("\\ud" in decoded or "\\uD" in decoded) and _has_lone_surrogate(value):
        raise ValueError("lone surrogate in hex escape")
    return value


def dumps(value: Any) -> str:
    """Returns the text jsonb would store for a JSON value. Raises UnstorableError."""
    if isinstance(value, str):
        if "\x00" in value:
            raise UnstorableError("\\u0000 cannot be converted to text")
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (float, Decimal)):
        return _format_number(value)
    if isinstance(value, dict):
        members = sorted(value.items(), key=_length_then_bytes)
        return "{" + ",".join(f"{dumps(key)}:{dumps(item)}" for key, item in members) + "}"
    return "[" + ",".join(dumps(item) for item in value) + "]"


def is_text_deep(text: str, value: Any) -> bool:
    """Whether `value`, parsed from `text`, is nested deeper than JSON may be."""
    return text.count("[") + text.count("{") >= MAX_DEPTH and is_deeper(value, MAX_DEPTH)


def is_deeper(value: Any, max_depth: int) -> bool:
    """Whether a JSON value is nested deeper than `max_depth`. Linear, and independent of the interpreter's stack."""
    depth, level = 0, [value]
    while level and depth < max_depth:
        level = [
            item
            for container in level
            if isinstance(container, (dict, list))
            for item in (container.values() if isinstance(container, dict) else container)
        ]
        depth += 1
    return bool(level)


def merge(stored: str, patch: str) -> str:
    """`stored || patch` for two objects that `dumps` wrote: top-level keys only, the patch wins, null stays a value.

    Values are copied as texts: metadata may have grown to megabytes, and every patch of it is merged here.
    """
    if not stored:
        return patch
    members = sorted((_split_members(stored) | _split_members(patch)).items(), key=_length_then_bytes)
    return "{" + ",".join([f"{_quoted(key)}:{text}" for key, text in members]) + "}"


def _split_members(text: str) -> dict[str, str]:
    """Returns key -> text of the value, for an object that `dumps` wrote."""
    members: dict[str, str] = {}
    end = 0
    while text[end + 1 : end + 2] == '"':
        key, colon = _scan(text, end + 1)
        _, end = _scan(text, colon + 1)
        members[key] = text[colon + 1 : end]
    return members


def _length_then_bytes(member: tuple[str, Any]) -> tuple[int, bytes]:
    key = member[0].encode()
    return len(key), key


def _format_number(value: float | Decimal) -> str:
    """Returns a number as Laminar stores it: rounded to 64 bits, in the notation of Rust's JSON library."""
    number = float(value)
    if not math.isfinite(number):
        return "null"
    if not number:
        return "0.0"
    if "e" not in (text := repr(number)):
        return text
    _, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    significand, sign = "".join(map(str, digits)), "-" if number < 0 else ""
    point = len(significand) + int(exponent)
    if 0 < point <= _MAX_POINT:
        return f"{sign}{significand[:point].ljust(point, '0')}.{significand[point:] or '0'}"
    if _MIN_POINT < point <= 0:
        return f"{sign}0.{'0' * -point}{significand}"
    if 0 < point <= _INTEGER_DIGITS and int(sign + significand.ljust(point, "0")) in _INTEGERS:
        # PostgreSQL writes it without the exponent, so that Laminar reads it again as an integer.
        return sign + significand.ljust(point, "0")
    fraction = f".{significand[1:]}" if len(significand) > 1 else ""
    return f"{sign}{significand[0]}{fraction}e{point - 1}"


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False
