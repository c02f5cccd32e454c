"""ClickHouse functions on texts, numbers and arrays that SQLite lacks or implements differently."""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from reviewapp.tracestore import arrays, ids

Value = str | int | float | bytes | None


def to_uuid(text: Value) -> Value:
    """Normalise a UUID to the format of the columns; other texts stay unchanged and match no row."""
    try:
        return ids.uuid(text)
    except ids.InvalidIdError:
        return text


def to_string(value: Value) -> str | None:
    """Convert a value to text; whole floats lose their fraction."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)


def to_integer(value: Value) -> int | None:
    """Convert to an integer. Raises ValueError for text that is not one."""
    return None if value is None else int(value)


def to_integer_or_zero(value: Value) -> int:
    """Convert to an integer; 0 for text that is not one."""
    try:
        return int(value) if value is not None else 0
    except ValueError:
        return 0


def to_float(value: Value) -> float | None:
    """Convert to a float. Raises ValueError for text that is not a number."""
    return None if value is None else float(value)


def to_float_or_zero(value: Value) -> float:
    """Convert to a float; 0 for text that is not a number."""
    try:
        return float(value) if value is not None else 0.0
    except ValueError:
        return 0.0


def length(value: Value) -> int | None:
    """Returns the number of items of an array or of bytes of a text."""
    if isinstance(value, bytes):
        return len(arrays.unpack(value))
    return None if value is None else len(str(value).encode())


def concat(*values: Value) -> str | None:
    """Join all values to one text; null if any value is null."""
    texts = [to_string(value) for value in values]
    return None if None in texts else "".join(text or "" for text in texts)


def position(text: str, substring: str) -> int:
    """Returns the byte position of a substring, counted from 1; 0 if absent."""
    return text.encode().find(substring.encode()) + 1


def position_case_insensitive(text: str, substring: str) -> int:
    """Like `position`, but ignores case."""
    return position(text.lower(), substring.lower())


def starts_with(text: str, prefix: str) -> int:
    """Whether a text starts with a prefix."""
    return int(text.startswith(prefix))


def ends_with(text: str, suffix: str) -> int:
    """Whether a text ends with a suffix."""
    return int(text.endswith(suffix))


def has(array: bytes, item: Value) -> int:
    """Whether an array contains an item."""
    # Fast path: most arrays of a scan lack the item, which their bytes show without decoding.
    if isinstance(item, str) and _pack_item(item) not in array:
        return 0
    return int(item in arrays.unpack(array))


def has_any(array: bytes, items: bytes) -> int:
    """Whether two arrays have an item in common."""
    return int(any(item in arrays.unpack(array) for item in arrays.unpack(items)))


def has_all(array: bytes, items: bytes) -> int:
    """Whether the first array contains all items of the second."""
    return int(all(item in arrays.unpack(array) for item in arrays.unpack(items)))


def element(array: bytes, index: int) -> Value:
    """Returns an array's item: counted from 1, or from the end if negative; empty text if out of range."""
    items = arrays.unpack(array)
    item: Any = items[index - 1 if index > 0 else index] if 0 < abs(index) <= len(items) else ""
    return arrays.pack(item) if isinstance(item, list) else json.dumps(item) if isinstance(item, dict) else item


def join(array: bytes, separator: str = "") -> str:
    """Join an array's items to one text."""
    return separator.join(to_string(item) or "" for item in arrays.unpack(array))


def split(separator: str, text: str) -> bytes:
    """Split a text; by an empty separator, into characters."""
    return arrays.pack(text.split(separator) if separator else text)


@lru_cache(maxsize=64)
def _pack_item(item: str) -> bytes:
    return arrays.pack([item])[1:-1]


def _on_items(function: Callable[[list[Any]], Iterable[Any]]) -> Callable[[bytes], bytes]:
    return lambda array: arrays.pack(function(arrays.unpack(array)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "toUUID": to_uuid,
    "toString": to_string,
    **{f"to{kind}": to_integer for kind in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")},
    **{f"to{kind}OrZero": to_integer_or_zero for kind in ("Int32", "Int64", "UInt32", "UInt64")},
    **{f"to{kind}": to_float for kind in ("Float32", "Float64")},
    **{f"to{kind}OrZero": to_float_or_zero for kind in ("Float32", "Float64")},
    "length": length,
    "concat": concat,
    "position": position,
    "positionCaseInsensitive": position_case_insensitive,
    "startsWith": starts_with,
    "endsWith": ends_with,
    "has": has,
    "hasAny": has_any,
    "hasAll": has_all,
    "arrayElement": element,
    "arrayStringConcat": join,
    "splitByChar": split,
    "splitByString": split,
    "arraySort": _on_items(sorted),
    "arrayDistinct": _on_items(dict.fromkeys),
    "arrayReverse": _on_items(reversed),
}
