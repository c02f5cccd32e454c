"""Values for `{name:Type}`: each is read as the type it was declared with."""

import time
from typing import Any, cast

from sqlglot import exp

from reviewapp.tracestore import arrays, ids, timestamps
from reviewapp.tracestore.sql import function_map, time_functions
from reviewapp.tracestore.sql.errors import Refused
from reviewapp.tracestore.sql.rewriter import Parameter

_INTEGERS = exp.DataType.INTEGER_TYPES
_FLOATS = frozenset({exp.DType.FLOAT, exp.DType.DOUBLE, exp.DType.DECIMAL})
_TIMES = frozenset({exp.DType.DATE, exp.DType.DATETIME, exp.DType.DATETIME64})
_SECONDS_PER_DAY = 86_400


def bound(declared: dict[str, Parameter], given: dict[str, Any]) -> dict[str, Any]:
    """The values to bind, by SQLite's names for them. Raises Refused."""
    values: dict[str, Any] = {}
    for placeholder, (name, kind) in declared.items():
        if name not in given:
            raise Refused(f"Error executing query: Substitution `{name}` is not set")
        try:
            values[placeholder] = _value(kind, given[name])
        except (ValueError, TypeError, OverflowError):
            shown = kind.sql(dialect="clickhouse")
            raise Refused(f"Error executing query: Value of parameter {name} cannot be parsed as {shown}") from None
    return values


def moments_of_now() -> dict[str, str]:
    """What now(), now64(), today() and yesterday() answer throughout one query."""
    now = time.time_ns()
    seconds = now // 1_000_000_000
    return {
        function_map.NOW: timestamps.whole_second(seconds),
        function_map.NOW_FULL: timestamps.text(now),
        function_map.TODAY: timestamps.whole_second(seconds)[:10],
        function_map.YESTERDAY: timestamps.whole_second(seconds - _SECONDS_PER_DAY)[:10],
    }


def _value(kind: exp.DataType, value: Any) -> Any:
    named = cast(exp.DType, kind.this)
    if named == exp.DType.ARRAY:
        if not isinstance(value, list):
            raise TypeError
        inner = cast(exp.DataType, kind.expressions[0])
        return arrays.pack(_value(inner, item) for item in value)
    if value is None and kind.args.get("nullable"):
        return None
    if not isinstance(value, (str, int, float)) and not hasattr(value, "as_tuple"):
        raise TypeError
    if named == exp.DType.UUID:
        return ids.uuid(value)
    if named in _INTEGERS:
        return _integer(value)
    if named in _FLOATS:
        return float(value)
    if named == exp.DType.BOOLEAN:
        return int(value in (True, 1, "1", "true"))
    if named in _TIMES:
        return time_functions.full(value if isinstance(value, str) else float(value))
    return _text(value)


def _integer(value: Any) -> int:
    number = int(value)
    if (number != value and not isinstance(value, str)) or not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    text.encode()
    return text
