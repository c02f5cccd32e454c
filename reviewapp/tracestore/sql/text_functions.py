"""ClickHouse functions on texts that SQLite lacks or implements differently, and conversions."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from reviewapp.lib.shortening import shorten
from reviewapp.tracestore import arrays, ids

Value = str | int | float | bytes | None


def to_uuid(text: Value) -> Value:
    """Normalise a UUID to the format of the columns. Raises ValueError."""
    try:
        return ids.uuid(text)
    except ids.InvalidIdError:
        raise ValueError(f"Cannot parse uuid {shorten(str(text), 80)}") from None


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


def split(separator: str, text: str) -> bytes:
    """Split a text; by an empty separator, into characters."""
    return arrays.pack(text.split(separator) if separator else text)


def split_words(text: str) -> bytes:
    """Split a text at white space."""
    return arrays.pack(text.split())


def part_until(text: str, separator: str, count: int) -> str:
    """Returns a text up to the `count`-th separator, or from the last ones if negative."""
    parts = text.split(separator)
    return separator.join(parts[:count] if count >= 0 else parts[count:])


def match(text: str, pattern: str) -> int:
    """Whether a regular expression matches somewhere in a text. Raises ValueError for an invalid pattern."""
    return int(_compile(pattern).search(text) is not None)


def extract(text: str, pattern: str) -> str:
    """Returns the first group of the first match, or the match if the pattern has no group; empty without one."""
    found = _compile(pattern).search(text)
    return (found[min(found.re.groups, 1)] or "") if found else ""


def extract_all(text: str, pattern: str) -> bytes:
    """Returns the first group, or all, of every match."""
    return arrays.pack(found[min(found.re.groups, 1)] or "" for found in _compile(pattern).finditer(text))


def replace_matches(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    r"""Replace the matches of a pattern; `\\0` to `\\9` in the replacement are the match and its groups."""

    def expand(found: re.Match[str]) -> str:
        groups: Callable[[re.Match[str]], str] = lambda digit: found[int(digit[1])] or "" if digit[1] else "\\"  # noqa: E731
        return re.sub(r"\\(?:(\d)|\\)", groups, replacement)

    return _compile(pattern).sub(expand, text, count=count)


def replace_first_match(text: str, pattern: str, replacement: str) -> str:
    """Replace the first match of a pattern."""
    return replace_matches(text, pattern, replacement, 1)


def left(text: str, count: int) -> str:
    """Returns the first characters of a text, or all but the last ones if negative."""
    return text[:count]


def right(text: str, count: int) -> str:
    """Returns the last characters of a text, or all but the first ones if negative."""
    return text[-count:] if count else ""


@lru_cache(maxsize=64)
def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"The regular expression cannot be read: {error}") from None


def _or_null(function: Callable[[Value], Value]) -> Callable[[Value], Value]:
    def convert(value: Value) -> Value:
        try:
            return function(value)
        except ValueError:
            return None

    return convert


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
    "splitByChar": split,
    "splitByString": split,
    "splitByWhitespace": split_words,
    "substringIndex": part_until,
    "match": match,
    "extract": extract,
    "extractAll": extract_all,
    "replaceRegexpAll": replace_matches,
    "replaceRegexpOne": replace_first_match,
    "left": left,
    "right": right,
    "reverseUTF8": lambda text: text[::-1],
    **{f"to{kind}OrNull": _or_null(to_integer) for kind in ("Int32", "Int64", "UInt32", "UInt64")},
    **{f"to{kind}OrNull": _or_null(to_float) for kind in ("Float32", "Float64")},
}
