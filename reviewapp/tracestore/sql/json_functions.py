"""ClickHouse's two families of JSON functions: `simpleJSON*` search the text, `JSON*` parse it."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from reviewapp.lib.shortening import shorten
from reviewapp.tracestore import arrays, jsonb

# The closing quote may be missing: looking for it again from each quote would take the square of the text's length.
TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]},]', re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_INTEGER = re.compile(r'"?(-?[0-9]+)')
_UNSIGNED = re.compile(r'"?([0-9]+)')
_FLOAT = re.compile(r'"?(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)')
_PATH_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]"'*]+)|\.?"(?P<quoted>[^"]*)"|\[["'](?P<single>[^"']*)["']\]|\[(?P<index>\d{1,9})\]""",
    re.ASCII,
)
# From this power of ten on, ClickHouse writes a whole float with an exponent.
_EXPONENT = 21
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
    if isinstance(value, Decimal) and value.adjusted() < _EXPONENT and value == value.to_integral_value():
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


def is_valid(text: str) -> int:
    """Whether a text is JSON."""
    return int(_get_value(text, ()) is not _ABSENT)


def type_name(text: str, *path: Any) -> str:
    """Returns the name of a value's type; `Null` for null and for what does not exist."""
    value = _get_value(text, path)
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, int):
        return "Int64" if value < 2**63 else "UInt64"
    return {Decimal: "Double", str: "String", list: "Array", dict: "Object"}.get(type(value), "Null")


def extract_typed(text: str, *arguments: Any) -> Any:
    """`JSONExtract(json, path…, type)`. Raises ValueError for a type that is not supported."""
    *path, type_text = arguments
    value = _convert(_get_value(text, tuple(path)), str(type_text).replace(" ", ""))
    return arrays.pack(value) if isinstance(value, list) else value


def _convert(value: Any, type_text: str) -> Any:
    outer, _, inner = type_text.removesuffix(")").partition("(")
    if outer == "LowCardinality":
        return _convert(value, inner)
    if outer == "Nullable":
        is_number = inner not in ("String", "Bool")
        is_convertible = not (is_number and isinstance(value, (str, list, dict)) and not _is_number(value))
        return None if value is None or value is _ABSENT or not is_convertible else _convert(value, inner)
    if outer == "Array":
        return [_convert(item, inner) for item in value] if isinstance(value, list) else []
    for prefix, convert in _TYPES.items():
        if outer.startswith(prefix) and not inner:
            return convert(value)
    raise ValueError(f"JSONExtract to {type_text} is not supported by the trace store")


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[+-]?\d+(?:\.\d+)?", value, re.ASCII) is not None


def path_value(text: str, path: str) -> str:
    """`JSON_VALUE`: the text of the value at a JSON path; empty if there is none, or an object or array."""
    value = _follow(text, path)
    if value is None or value is _ABSENT or isinstance(value, (list, dict)):
        return ""
    return value if isinstance(value, str) else _dump(value)


def path_query(text: str, path: str) -> str:
    """`JSON_QUERY`: the object or array at a JSON path in an array; empty if there is none."""
    value = _follow(text, path)
    return f"[{_dump(value)}]" if isinstance(value, (list, dict)) else ""


def path_exists(text: str, path: str) -> int:
    """`JSON_EXISTS`: whether there is a value at a JSON path."""
    return int(_follow(text, path) is not _ABSENT)


def _follow(text: str, path: str) -> Any:
    steps: list[Any] = []
    position = 1
    if not path.startswith("$"):
        raise ValueError("A JSON path starts with $")
    while position < len(path):
        step = _PATH_STEP.match(path, position)
        if step is None:
            raise ValueError(f"The JSON path {shorten(path, 80)} cannot be read")
        position = step.end()
        name = step["name"] or step["quoted"] or step["single"]
        # Positions count from 0 here and from 1 in `_get_value`.
        steps.append(int(step["index"]) + 1 if step["index"] else name)
    return _get_value(text, tuple(steps))


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


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None or value is _ABSENT else _dump(value)


def _to_integer(value: Any) -> int:
    try:
        number = int(value) if isinstance(value, (int, Decimal, str)) else 0
    except (ValueError, OverflowError):
        return 0
    return number if -(2**63) <= number < 2**63 else 0


def _to_float(value: Any) -> float:
    try:
        return float(value) if isinstance(value, (int, Decimal, str)) else 0.0
    except (ValueError, OverflowError):
        return 0.0


_TYPES: dict[str, Callable[[Any], Any]] = {
    "String": _to_text,
    "Int": _to_integer,
    "UInt": _to_integer,
    "Float": _to_float,
    "Bool": lambda value: int(isinstance(value, int) and value != 0),
}
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
    "JSONExtract": extract_typed,
    "JSONType": type_name,
    "JSON_VALUE": path_value,
    "JSON_QUERY": path_query,
    "JSON_EXISTS": path_exists,
    "isValidJSON": is_valid,
}
