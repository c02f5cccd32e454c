"""Bind values to `{name:Type}` parameters: each value is converted to its declared type."""

import time
from typing import Any, cast

from sqlglot import exp

from reviewapp.tracestore import arrays, ids, timestamps
from reviewapp.tracestore.sql import function_map, time_functions
from reviewapp.tracestore.sql.errors import QueryError
from reviewapp.tracestore.sql.rewriter import Parameter

_INTEGERS = exp.DataType.INTEGER_TYPES
_FLOATS = frozenset({exp.DType.FLOAT, exp.DType.DOUBLE, exp.DType.DECIMAL})
_TIMES = frozenset({exp.DType.DATE, exp.DType.DATETIME, exp.DType.DATETIME64})
_SECONDS_PER_DAY = 86_400


def bind_values(declared: dict[str, Parameter], arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the values by placeholder name. Raises QueryError."""
    values: dict[str, Any] = {}
    for placeholder, (name, data_type) in declared.items():
        if name not in arguments:
            raise QueryError(f"Error executing query: Substitution `{name}` is not set")
        try:
            values[placeholder] = _convert(data_type, arguments[name])
        except (ValueError, TypeError, OverflowError):
            type_sql = data_type.sql(dialect="clickhouse")
            raise QueryError(
                f"Error executing query: Value of parameter {name} cannot be parsed as {type_sql}"
            ) from None
    return values


def current_times() -> dict[str, str]:
    """Returns the values of now(), now64(), today() and yesterday() for one query."""
    now = time.time_ns()
    seconds = now // 1_000_000_000
    return {
        function_map.NOW: timestamps.format_seconds(seconds),
        function_map.NOW_FULL: timestamps.text(now),
        function_map.TODAY: timestamps.format_seconds(seconds)[:10],
        function_map.YESTERDAY: timestamps.format_seconds(seconds - _SECONDS_PER_DAY)[:10],
    }


def _convert(data_type: exp.DataType, value: Any) -> Any:
    type_id = cast(exp.DType, data_type.this)
    if type_id == exp.DType.ARRAY:
        if not isinstance(value, list):
            raise TypeError
        item_type = cast(exp.DataType, data_type.expressions[0])
        return arrays.pack(_convert(item_type, item) for item in value)
    if value is None and data_type.args.get("nullable"):
        return None
    if not isinstance(value, (str, int, float)) and not hasattr(value, "as_tuple"):
        raise TypeError
    if type_id == exp.DType.UUID:
        return ids.uuid(value)
    if type_id in _INTEGERS:
        return _to_integer(value)
    if type_id in _FLOATS:
        return float(value)
    if type_id == exp.DType.BOOLEAN:
        return int(value in (True, 1, "1", "true"))
    if type_id in _TIMES:
        return time_functions.to_datetime64_full(value if isinstance(value, str) else float(value))
    return _to_text(value)


def _to_integer(value: Any) -> int:
    number = int(value)
    if (number != value and not isinstance(value, str)) or not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    text.encode()
    return text
