"""ClickHouse's two families of JSON functions: `simpleJSON*` scan the text, `JSON*` know its structure."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from reviewapp.tracestore import arrays, jsonb

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]},]', re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_INTEGER = re.compile(r'"?(-?[0-9]+)')
_NATURAL = re.compile(r'"?([0-9]+)')
_FLOAT = re.compile(r'"?(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)')
_ABSENT = object()
_decode: Callable[[str], Any] = json.JSONDecoder(parse_float=Decimal).decode


def needle(kind: str, key: str, value: str) -> str:
    """A text that stands in every compact JSON whose simpleJSON value at `key` is `value`; empty for an absent one.

    It lets SQLite's own `instr` pass over most rows before a function here is called.
    """
    if not value:
        return ""
    return f'"{key}":{jsonb.dumps(value) if kind == "String" else value}' if "\x00" not in value else "\x01"


def simple_string(text: str, key: str) -> str:
    """The string after the first `"key":`, unescaped; empty for anything else."""
    at = _after(text, key)
    found = _STRING.match(text, at) if at >= 0 else None
    if found is None:
        return ""
    inner = found[1]
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
    """The text after the first `"key":` up to its end."""
    at = _after(text, key)
    if at < 0:
        return ""
    depth = 0
    for token in _TOKEN.finditer(text, at):
        mark = token[0]
        if mark in "[{":
            depth += 1
        elif mark in "]},":
            if depth == 0:
                return text[at : token.start()]
            if mark != ",":
                depth -= 1
    return ""


def simple_integer(text: str, key: str) -> int:
    """The number after the first `"key":`, cut to an Int64."""
    number = _number(text, key, _INTEGER)
    return int(number) if number and len(number) < 21 and -(2**63) <= int(number) < 2**63 else 0


def simple_natural(text: str, key: str) -> int:
    """The number after the first `"key":`, cut to what fits SQLite's integers."""
    number = _number(text, key, _NATURAL)
    return int(number) if number and len(number) < 21 and int(number) < 2**63 else 0


def simple_float(text: str, key: str) -> float:
    """The number after the first `"key":` as a float."""
    return float(_number(text, key, _FLOAT) or 0)


def simple_bool(text: str, key: str) -> int:
    """Whether `true` follows the first `"key":`."""
    at = _after(text, key)
    return int(at >= 0 and text.startswith("true", at))


def extract_string(text: str, *path: Any) -> str:
    """A string as it is, a whole number without its fraction, other values as JSON text, null as nothing."""
    value = _at(text, path)
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return f"{value.to_integral_value():f}"
    return "" if value is None or value is _ABSENT else _shown(value)


def extract_raw(text: str, *path: Any) -> str:
    """The JSON text of a value."""
    value = _at(text, path)
    return "" if value is _ABSENT else _shown(value)


def extract_integer(text: str, *path: Any) -> int:
    """A whole number, also from a numeric string; else 0."""
    value = _at(text, path)
    if isinstance(value, bool):
        return 0
    try:
        number = int(value) if isinstance(value, (int, Decimal)) else int(str(value))
    except (ValueError, OverflowError):
        return 0
    return number if -(2**63) <= number < 2**63 else 0


def extract_float(text: str, *path: Any) -> float:
    """A number, also from a numeric string; else 0."""
    value = _at(text, path)
    try:
        return 0.0 if isinstance(value, bool) else float(value if isinstance(value, (int, Decimal)) else str(value))
    except (ValueError, OverflowError):
        return 0.0


def extract_bool(text: str, *path: Any) -> int:
    """True, or a whole number other than 0."""
    value = _at(text, path)
    return int(isinstance(value, int) and value != 0)


def has(text: str, *path: Any) -> int:
    """Whether there is a value."""
    return int(_at(text, path) is not _ABSENT)


def length(text: str, *path: Any) -> int:
    """How many items or members a value has."""
    value = _at(text, path)
    return len(value) if isinstance(value, (list, dict)) else 0


def extract_keys(text: str, *path: Any) -> bytes:
    """An object's keys."""
    value = _at(text, path)
    return arrays.pack(value if isinstance(value, dict) else ())


def extract_array_raw(text: str, *path: Any) -> bytes:
    """An array's items, each as its JSON text."""
    value = _at(text, path)
    return arrays.pack(map(_shown, value) if isinstance(value, list) else ())


def _after(text: str, key: str) -> int:
    mark = f'"{key}":'
    at = text.find(mark)
    return at + len(mark) if at >= 0 else -1


def _number(text: str, key: str, shape: re.Pattern[str]) -> str:
    at = _after(text, key)
    found = shape.match(text, at) if at >= 0 else None
    return found[1] if found else ""


def _at(text: str, path: tuple[Any, ...]) -> Any:
    try:
        # Only an escape can hide half of a character, which SQLite would not take.
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


def _shown(value: Any) -> str:
    try:
        return jsonb.dumps(value)
    except jsonb.UnstorableError:
        return ""


_SIMPLE: dict[str, Callable[..., Any]] = {
    "ExtractString": simple_string,
    "ExtractRaw": simple_raw,
    "ExtractInt": simple_integer,
    "ExtractUInt": simple_natural,
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
