"""Run POST /v1/sql/query: compile, bind, execute with limits on time and size, format as ClickHouse's JSON.

It runs in a process of its own; see worker.py.
"""

import json
import math
import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Any

from reviewapp.tracestore import arrays, database
from reviewapp.tracestore.sql import aggregates, function_map, json_functions, tables, worker
from reviewapp.tracestore.sql.compiler import compile_query
from reviewapp.tracestore.sql.errors import QueryError
from reviewapp.tracestore.sql.parameters import bind_values, current_times

__all__ = ["QueryError", "run_query"]

MAX_BYTES = 128 * 1024 * 1024
# Virtual machine instructions between two checks of the deadline.
_STEPS_BETWEEN_CHECKS = 20_000
# Whole floats below this are exact; ClickHouse prints them without a fraction.
_EXACT_FLOAT = 2.0**53
# In bytes.
_LARGE_ARRAY = 1_000_000

_local = threading.local()
_json_checker = sqlite3.connect(":memory:", check_same_thread=False)


def run_query(project: int, query: str, parameters: dict[str, Any]) -> bytes:
    """Returns the response body `{"data": [{column: value}, …]}`. Raises QueryError, or MemoryError."""
    statement = compile_query(query)
    values = bind_values(statement.parameters, parameters) | current_times() | {tables.PROJECT: project}
    connection, failures = _get_connection()
    deadline = time.monotonic() + worker.MAX_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_CHECKS)
    failures.clear()
    try:
        return _encode_rows(connection.execute(statement.sql, values))
    except (sqlite3.Error, ValueError, OverflowError) as error:
        if time.monotonic() > deadline:
            raise QueryError(worker.TIMEOUT_MESSAGE) from None
        raise QueryError(f"Error executing query: {failures[0] if failures else error}") from None


def _encode_rows(cursor: sqlite3.Cursor) -> bytes:
    names = [column[0] for column in cursor.description]
    rows: list[bytes] = []
    size = 0
    for row in cursor:
        is_large = any(isinstance(value, bytes) and len(value) > _LARGE_ARRAY for value in row)
        encode_row = _encode_large_row if is_large else _encode_row
        rows.append(encode_row(names, row))
        size += len(rows[-1])
        if size > MAX_BYTES:
            raise ValueError(
                f"Limit for result exceeded: more than {MAX_BYTES} bytes; select fewer columns or add a LIMIT"
            )
    return b'{"data":[' + b",".join(rows) + b"]}"


def _encode_row(names: Sequence[str], row: Sequence[Any]) -> bytes:
    return _encode({name: _json_value(name, value) for name, value in zip(names, row, strict=True)})


def _encode_large_row(names: Sequence[str], row: Sequence[Any]) -> bytes:
    """Encode value by value, with arrays as stored: parsed, the events of a span may take ten times as much memory."""
    members = {
        _encode(name): _check_array(value) if isinstance(value, bytes) else _encode(_json_value(name, value))
        for name, value in zip(names, row, strict=True)
    }
    return b"{" + b",".join(name + b":" + value for name, value in members.items()) + b"}"


def _encode(value: Any) -> bytes:
    return _compact(value).encode(errors="replace")


def _check_array(array: bytes) -> bytes:
    (is_json,) = _json_checker.execute("SELECT json_valid(?)", (array.decode(),)).fetchone()
    if not is_json:
        raise ValueError("a part of an array is not an array")
    return array


def _json_value(name: str, value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < _EXACT_FLOAT else value
    if isinstance(value, bytes):
        return arrays.unpack(value)
    return bool(value) if name in tables.BOOLEANS else value


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _get_connection() -> tuple[sqlite3.Connection, list[str]]:
    """Returns this thread's query connection and the list that collects error messages of its functions."""
    if not hasattr(_local, "connection"):
        _local.connection, _local.failures = _connect()
    return _local.connection, _local.failures


def _connect() -> tuple[sqlite3.Connection, list[str]]:
    failures: list[str] = []
    connection = database.open_to_read()
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
    connection.execute("PRAGMA case_sensitive_like = ON")
    for name, function in function_map.FUNCTIONS.items():
        callback = function if name in json_functions.FUNCTIONS else _record_failures(function, failures)
        connection.create_function(f"{function_map.PREFIX}{name}", -1, callback, deterministic=True)
    connection.create_function(f"{function_map.PREFIX}needle", 3, json_functions.needle, deterministic=True)
    for name, (aggregate, count) in aggregates.AGGREGATES.items():
        connection.create_aggregate(f"{function_map.PREFIX}{name}", count, aggregate)
    # SQLite creates this virtual table at first use, which the authorizer would deny as a CREATE.
    connection.execute("SELECT 1 FROM json_each('[]')")
    connection.set_authorizer(_authorize)
    return connection, failures


def _record_failures(function: Any, failures: list[str]) -> Any:
    """Wrap a function to record its errors, because sqlite3 drops their messages."""

    def recording_function(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            failures.append(str(error))
            raise

    return recording_function


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _inner: str | None) -> int:
    """SQLite authorizer callback: deny everything except reading the two tables."""
    if action == sqlite3.SQLITE_SELECT:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ and first in tables.READABLE:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second in function_map.CALLABLE:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
