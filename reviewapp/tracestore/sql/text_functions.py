"""ClickHouse's functions of texts, numbers and arrays that SQLite lacks or counts otherwise."""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from reviewapp.tracestore import arrays, ids

Value = str | int | float | bytes | None


def uuid(text: Value) -> Value:
    """A UUID in the spelling of the columns; other texts stay, and match nothing."""
    try:
        return ids.uuid(text)
    except ids.NotAnId:
        return text


def to_string(value: Value) -> str | None:
    """A value as text: whole floats without a fraction."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)


def to_integer(value: Value) -> int | None:
    """A whole number; a text must be one. Raises ValueError."""
    return None if value is None else int(value)


def to_integer_or_zero(value: Value) -> int:
    """A whole number, 0 for another text."""
    try:
        return int(value) if value is not None else 0
    except ValueError:
        return 0


def to_float(value: Value) -> float | None:
    """A number; a text must be one. Raises ValueError."""
    return None if value is None else float(value)


def to_float_or_zero(value: Value) -> float:
    """A number, 0 for another text."""
    try:
        return float(value) if value is not None else 0.0
    except ValueError:
        return 0.0


def length(value: Value) -> int | None:
    """An array's items or a text's bytes."""
    if isinstance(value, bytes):
        return len(arrays.unpack(value))
    return None if value is None else len(str(value).encode())


def concat(*values: Value) -> str | None:
    """All values as one text; null if one is."""
    texts = [to_string(value) for value in values]
    return None if None in texts else "".join(text or "" for text in texts)


def position(text: str, part: str) -> int:
    """Where a part begins, counted in bytes from 1; 0 if nowhere."""
    return text.encode().find(part.encode()) + 1


def position_in_any_case(text: str, part: str) -> int:
    """The same, upper and lower case alike."""
    return position(text.lower(), part.lower())


def starts_with(text: str, part: str) -> int:
    """Whether a text begins so."""
    return int(text.startswith(part))


def ends_with(text: str, part: str) -> int:
    """Whether a text ends so."""
    return int(text.endswith(part))


def has(array: bytes, item: Value) -> int:
    """Whether an array holds an item."""
    # Most arrays of a scan do not, and their bytes show it without unpacking them.
    if isinstance(item, str) and _packed(item) not in array:
        return 0
    return int(item in arrays.unpack(array))


def has_any(array: bytes, items: bytes) -> int:
    """Whether two arrays share an item."""
    return int(any(item in arrays.unpack(array) for item in arrays.unpack(items)))


def has_all(array: bytes, items: bytes) -> int:
    """Whether the first array holds all items of the second."""
    return int(all(item in arrays.unpack(array) for item in arrays.unpack(items)))


def element(array: bytes, index: int) -> Value:
    """An array's item, counted from 1, or from the end if negative; empty beyond."""
    items = arrays.unpack(array)
    found: Any = items[index - 1 if index > 0 else index] if 0 < abs(index) <= len(items) else ""
    return arrays.pack(found) if isinstance(found, list) else json.dumps(found) if isinstance(found, dict) else found


def joined(array: bytes, separator: str = "") -> str:
    """An array's items as one text."""
    return separator.join(to_string(item) or "" for item in arrays.unpack(array))


def split(separator: str, text: str) -> bytes:
    """A text's parts."""
    return arrays.pack(text.split(separator) if separator else text)


@lru_cache(maxsize=64)
def _packed(item: str) -> bytes:
    return arrays.pack([item])[1:-1]


def _of_items(change: Callable[[list[Any]], Iterable[Any]]) -> Callable[[bytes], bytes]:
    return lambda array: arrays.pack(change(arrays.unpack(array)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "toUUID": uuid,
    "toString": to_string,
    **{f"to{kind}": to_integer for kind in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")},
    **{f"to{kind}OrZero": to_integer_or_zero for kind in ("Int32", "Int64", "UInt32", "UInt64")},
    **{f"to{kind}": to_float for kind in ("Float32", "Float64")},
    **{f"to{kind}OrZero": to_float_or_zero for kind in ("Float32", "Float64")},
    "length": length,
    "concat": concat,
    "position": position,
    "positionCaseInsensitive": position_in_any_case,
    "startsWith": starts_with,
    "endsWith": ends_with,
    "has": has,
    "hasAny": has_any,
    "hasAll": has_all,
    "arrayElement": element,
    "arrayStringConcat": joined,
    "splitByChar": split,
    "splitByString": split,
    "arraySort": _of_items(sorted),
    "arrayDistinct": _of_items(dict.fromkeys),
    "arrayReverse": _of_items(reversed),
}
