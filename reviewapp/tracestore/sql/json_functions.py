"""ClickHouse's two families of JSON functions: `simpleJSON*` search the text, `JSON*` parse it."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from reviewapp.tracestore import arrays, jsonb

# The closing quote may be missing: looking for it again from each quote would take the square of the text's length.
TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]},]', re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_INTEGER = re.compile(r'"?(-?[0-9]+)')
_UNSIGNED = re.compile(r'"?([0-9]+)')
_FLOAT = re.compile(r'"?(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)')
_ABSENT = object()
_decode: Callable[[str], Any] = json.JSONDecoder(parse_float=Decimal).decode


def needle(kind: str, key: str, value: str) -> str:
    """Returns a text that every compact JSON with this simpleJSON value at `key` contains; empty if `value` is empty.

    SQLite's `instr` looks for it first and skips most rows before a slower function of this module is called.
    """
    if not value:
        return ""
    return f'"{key}":{jsonb.dumps(value) if kind == "String" else value}' if "\x00" not in value else "\x01"


def simple_string(text: str, key: str) -> str:
    """Returns the unescaped string after the first `"key":`; empty if no string follows."""
    start = _value_start(text, key)
    match = _STRING.match(text, start) if start >= 0 else None
    if match is None:
        return ""
    inner = match[1]
    if "\\" not in inner:
        return inner
    try:
        unescaped = str(json.loads(f'"{inner}"', strict=False))
        unescaped.encode()
        return unescaped
    except UnicodeEncodeError:
        return ""
    except ValueError:
        return re.sub(r"\\(.)", r"\1", inner)


def simple_raw(text: str, key: str) -> str:
    """Returns the JSON text of the value after the first `"key":`."""
    start = _value_start(text, key)
    if start < 0:
        return ""
    depth = 0
    for match in TOKEN.finditer(text, start):
        symbol = match[0]
        if symbol in "[{":
            depth += 1
        elif symbol in "]},":
            if depth == 0:
                return text[start : match.start()]
            if symbol != ",":
                depth -= 1
    return ""


def simple_integer(text: str, key: str) -> int:
    """Returns the integer after the first `"key":`; 0 if none or outside Int64."""
    number = _match_number(text, key, _INTEGER)
    return int(number) if number and len(number) < 21 and -(2**63) <= int(number) < 2**63 else 0


def simple_unsigned(text: str, key: str) -> int:
    """Returns the unsigned integer after the first `"key":`; 0 if none or too large for SQLite."""
    number = _match_number(text, key, _UNSIGNED)
    return int(number) if number and len(number) < 21 and int(number) < 2**63 else 0


def simple_float(text: str, key: str) -> float:
    """Returns the number after the first `"key":` as a float; 0 if none."""
    return float(_match_number(text, key, _FLOAT) or 0)


def simple_bool(text: str, key: str) -> int:
    """Whether `true` follows the first `"key":`."""
    start = _value_start(text, key)
    return int(start >= 0 and text.startswith("true", start))


def extract_string(text: str, *path: Any) -> str:
    """Returns strings unchanged, whole numbers without a fraction, null as empty, other values as JSON text."""
    value = _get_value(text, path)
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return f"{value.to_integral_value():f}"
    return "" if value is None or value is _ABSENT else _dump(value)


def extract_raw(text: str, *path: Any) -> str:
    """Returns the JSON text of a value; empty if absent."""
    value = _get_value(text, path)
    return "" if value is _ABSENT else _dump(value)


def extract_integer(text: str, *path: Any) -> int:
    """Returns an integer, also from a numeric string; 0 for other values."""
    value = _get_value(text, path)
    if isinstance(value, bool):
        return 0
    try:
        number = int(value) if isinstance(value, (int, Decimal)) else int(str(value))
    except (ValueError, OverflowError):
        return 0
    return number if -(2**63) <= number < 2**63 else 0


def extract_float(text: str, *path: Any) -> float:
    """Returns a float, also from a numeric string; 0 for other values."""
    value = _get_value(text, path)
    try:
        return 0.0 if isinstance(value, bool) else float(value if isinstance(value, (int, Decimal)) else str(value))
    except (ValueError, OverflowError):
        return 0.0


def extract_bool(text: str, *path: Any) -> int:
    """Whether the value is true or an integer other than 0."""
    value = _get_value(text, path)
    return int(isinstance(value, int) and value != 0)


def has(text: str, *path: Any) -> int:
    """Whether the path exists."""
    return int(_get_value(text, path) is not _ABSENT)


def length(text: str, *path: Any) -> int:
    """Returns the number of items or members; 0 for other values."""
    value = _get_value(text, path)
    return len(value) if isinstance(value, (list, dict)) else 0


def extract_keys(text: str, *path: Any) -> bytes:
    """Returns the keys of an object."""
    value = _get_value(text, path)
    return arrays.pack(value if isinstance(value, dict) else ())


def extract_array_raw(text: str, *path: Any) -> bytes:
    """Returns the items of an array, each as JSON text."""
    value = _get_value(text, path)
    return arrays.pack(map(_dump, value) if isinstance(value, list) else ())


def _value_start(text: str, key: str) -> int:
    """Returns the index just after the first `"key":`; -1 if the text does not contain it."""
    pattern = f'"{key}":'
    index = text.find(pattern)
    return index + len(pattern) if index >= 0 else -1


def _match_number(text: str, key: str, pattern: re.Pattern[str]) -> str:
    start = _value_start(text, key)
    match = pattern.match(text, start) if start >= 0 else None
    return match[1] if match else ""


def _get_value(text: str, path: tuple[Any, ...]) -> Any:
    try:
        # Only an escape can produce a lone surrogate, which SQLite refuses; jsonb.loads checks for it.
        value = jsonb.loads(text) if "\\u" in text else _decode(text)
    except (ValueError, RecursionError):
        return _ABSENT
    for step in path:
        if isinstance(value, dict) and isinstance(step, str) and step in value:
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and 0 < abs(step) <= len(value):
            value = value[step - 1 if step > 0 else step]
        else:
            return _ABSENT
    return value


def _dump(value: Any) -> str:
    try:
        return jsonb.dumps(value)
    except jsonb.UnstorableError:
        return ""


_SIMPLE: dict[str, Callable[..., Any]] = {
    "ExtractString": simple_string,
    "ExtractRaw": simple_raw,
    "ExtractInt": simple_integer,
    "ExtractUInt": simple_unsigned,
    "ExtractFloat": simple_float,
    "ExtractBool": simple_bool,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"simpleJSON{name}": function for name, function in _SIMPLE.items()},
    **{f"visitParam{name}": function for name, function in _SIMPLE.items()},
    "JSONHas": has,
    "JSONLength": length,
    "JSONExtractString": extract_string,
    "JSONExtractRaw": extract_raw,
    "JSONExtractInt": extract_integer,
    "JSONExtractUInt": extract_integer,
    "JSONExtractFloat": extract_float,
    "JSONExtractBool": extract_bool,
    "JSONExtractKeys": extract_keys,
    "JSONExtractArrayRaw": extract_array_raw,
}
