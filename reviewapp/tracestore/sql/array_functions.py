"""ClickHouse's functions on arrays and on tuples; an array is a BLOB of JSON, a tuple inside one a JSON object."""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any

from reviewapp.tracestore import arrays

Value = str | int | float | bytes | None
# ClickHouse's limit on the size of `range`.
_MAX_RANGE = 500_000


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
    return _to_value(item)


def tuple_element(value: Value, key: str | int) -> Value:
    """Returns a tuple's member by its name or its position, counted from 1. Raises ValueError."""
    members = json.loads(value) if isinstance(value, (str, bytes)) and value else {}
    if isinstance(key, int):
        members = list(members.values()) if isinstance(members, dict) else members
        if not 0 < key <= len(members):
            raise ValueError(f"The tuple has no element {key}")
        return _to_value(members[key - 1])
    if not isinstance(members, dict) or (members and key not in members):
        raise ValueError(f"The tuple has no element named {key}")
    return _to_value(members.get(key, ""))


def members(array: bytes, key: str) -> bytes:
    """Returns the member `key` of each tuple in an array. Raises ValueError."""
    items = arrays.unpack(array)
    if not all(isinstance(item, dict) and key in item for item in items):
        raise ValueError(f"The tuples have no element named {key}")
    return arrays.pack(item[key] for item in items)


def join(array: bytes, separator: str = "") -> str:
    """Join an array's items to one text."""
    return separator.join(item if isinstance(item, str) else json.dumps(item) for item in arrays.unpack(array))


def index_of(array: bytes, item: Value) -> int:
    """Returns the position of an item, counted from 1; 0 if absent."""
    items = arrays.unpack(array)
    return items.index(item) + 1 if item in items else 0


def count_equal(array: bytes, item: Value) -> int:
    """Returns how often an array contains an item."""
    return arrays.unpack(array).count(item)


def part(array: bytes, start: int, size: int | None = None) -> bytes:
    """Returns `size` items from a position, counted from 1, or from the end if negative."""
    items = arrays.unpack(array)
    first = max(start - 1 if start > 0 else len(items) + start, 0)
    rest = items[first:]
    return arrays.pack(rest if size is None else rest[:size])


def concat(*parts: bytes) -> bytes:
    """Join arrays."""
    return arrays.pack(item for array in parts for item in arrays.unpack(array))


def intersect(*parts: bytes) -> bytes:
    """Returns the items of the first array that all others contain, each once."""
    first, *others = (arrays.unpack(array) for array in parts)
    return arrays.pack(dict.fromkeys(item for item in first if all(item in other for other in others)))


def numbers(start: int, stop: int | None = None, step: int = 1) -> bytes:
    """Returns the whole numbers from `start` up to `stop`; from 0 if only one is passed. Raises ValueError."""
    values = range(start) if stop is None else range(start, stop, step)
    if len(values) > _MAX_RANGE:
        raise ValueError(f"range is limited to {_MAX_RANGE:,} numbers")
    return arrays.pack(values)


def average(array: bytes) -> float | None:
    """Returns the mean of an array of numbers; null if it is empty."""
    items = arrays.unpack(array)
    return sum(items) / len(items) if items else None


def flatten(array: bytes) -> bytes:
    """Join the arrays inside an array, on all levels."""
    flat: list[Any] = []
    stack = arrays.unpack(array)[::-1]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item[::-1])
        else:
            flat.append(item)
    return arrays.pack(flat)


def _to_value(item: Any) -> Value:
    if isinstance(item, list):
        return arrays.pack(item)
    value: Value = json.dumps(item) if isinstance(item, dict) else item
    return value


@lru_cache(maxsize=64)
def _pack_item(item: str) -> bytes:
    return arrays.pack([item])[1:-1]


def _on_items(function: Callable[[list[Any]], Iterable[Any]]) -> Callable[[bytes], bytes]:
    return lambda array: arrays.pack(function(arrays.unpack(array)))


def _reduce(function: Callable[[list[Any]], Any], empty: Value = 0) -> Callable[[bytes], Value]:
    def reduce_items(array: bytes) -> Value:
        items = arrays.unpack(array)
        return _to_value(function(items)) if items else empty

    return reduce_items


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "has": has,
    "hasAny": has_any,
    "hasAll": has_all,
    "arrayElement": element,
    "tupleElement": tuple_element,
    "_members": members,
    "arrayStringConcat": join,
    "indexOf": index_of,
    "countEqual": count_equal,
    "arraySlice": part,
    "arrayConcat": concat,
    "arrayIntersect": intersect,
    "arrayPushBack": lambda array, item: arrays.pack([*arrays.unpack(array), item]),
    "arrayPushFront": lambda array, item: arrays.pack([item, *arrays.unpack(array)]),
    "range": numbers,
    "arraySort": _on_items(sorted),
    "arrayReverseSort": _on_items(lambda items: sorted(items, reverse=True)),
    "arrayDistinct": _on_items(dict.fromkeys),
    "arrayReverse": _on_items(reversed),
    "arrayCompact": _on_items(lambda items: [item for item, _ in groupby(items)]),
    "arrayEnumerate": _on_items(lambda items: range(1, len(items) + 1)),
    "arrayFlatten": flatten,
    "arraySum": _reduce(sum),
    "arrayMax": _reduce(max),
    "arrayMin": _reduce(min),
    "arrayAvg": average,
    "arrayUniq": _reduce(lambda items: len({arrays.pack([item]) for item in items})),
}
