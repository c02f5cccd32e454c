"""POST /v1/sql/query: compiled, bound, answered within bounds, written as ClickHouse's JSON."""

import json
import math
import sqlite3
import threading
import time
from typing import Any

from reviewapp.tracestore import arrays, database
from reviewapp.tracestore.sql import aggregates, function_map, json_functions, tables
from reviewapp.tracestore.sql.compiler import compiled
from reviewapp.tracestore.sql.errors import Refused
from reviewapp.tracestore.sql.parameters import bound as bound_values
from reviewapp.tracestore.sql.parameters import moments_of_now

__all__ = ["Refused", "answer"]

MAX_SECONDS = 30.0
MAX_BYTES = 128 * 1024 * 1024
_STEPS_BETWEEN_LOOKS = 20_000
_EXACT_FLOAT = 2.0**53

_local = threading.local()


def answer(project: int, query: str, parameters: dict[str, Any]) -> bytes:
    """The body `{"data": [{column: value}, …]}`. Raises Refused."""
    statement = compiled(query)
    values = bound_values(statement.parameters, parameters) | moments_of_now() | {tables.PROJECT: project}
    connection, failures = _connection()
    deadline = time.monotonic() + MAX_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
    failures.clear()
    try:
        return _written(connection.execute(statement.sql, values))
    except (sqlite3.Error, ValueError, OverflowError, MemoryError) as error:
        told = failures[0] if failures else str(error)
        if time.monotonic() > deadline:
            told = f"Timeout exceeded: the query took longer than {MAX_SECONDS:.0f} s"
        raise Refused(f"Error executing query: {told}") from None


def _written(cursor: sqlite3.Cursor) -> bytes:
    names = [column[0] for column in cursor.description]
    rows: list[bytes] = []
    size = 0
    for row in cursor:
        values = {name: _value(name, value) for name, value in zip(names, row, strict=True)}
        rows.append(_compact(values).encode(errors="replace"))
        size += len(rows[-1])
        if size > MAX_BYTES:
            raise ValueError(f"Limit for result exceeded: more than {MAX_BYTES} bytes; select less, or add a LIMIT")
    return b'{"data":[' + b",".join(rows) + b"]}"


def _value(name: str, value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < _EXACT_FLOAT else value
    if isinstance(value, bytes):
        return arrays.unpack(value)
    return bool(value) if name in tables.BOOLEANS else value


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _connection() -> tuple[sqlite3.Connection, list[str]]:
    """This thread's connection for queries, and the list in which its functions leave their reasons."""
    if not hasattr(_local, "connection"):
        _local.connection, _local.failures = _connect()
    return _local.connection, _local.failures


def _connect() -> tuple[sqlite3.Connection, list[str]]:
    failures: list[str] = []
    connection = database.connect_to_read()
    connection.execute("PRAGMA case_sensitive_like = ON")
    for name, function in function_map.FUNCTIONS.items():
        told = function if name in json_functions.FUNCTIONS else _telling(function, failures)
        connection.create_function(f"{function_map.PREFIX}{name}", -1, told, deterministic=True)
    connection.create_function(f"{function_map.PREFIX}needle", 3, json_functions.needle, deterministic=True)
    for name, (aggregate, count) in aggregates.AGGREGATES.items():
        connection.create_aggregate(f"{function_map.PREFIX}{name}", count, aggregate)
    # SQLite makes this table at its first use, which the authorizer would take for a CREATE.
    connection.execute("SELECT 1 FROM json_each('[]')")
    connection.set_authorizer(_allowed)
    return connection, failures


def _telling(function: Any, failures: list[str]) -> Any:
    """sqlite3 swallows what a function raises; keep its words for the answer."""

    def told(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            failures.append(str(error))
            raise

    return told


def _allowed(action: int, first: str | None, second: str | None, _database: str | None, _inner: str | None) -> int:
    """SQLite asks for each thing a statement does; anything but reading the two tables is refused."""
    if action == sqlite3.SQLITE_SELECT:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ and first in tables.READABLE:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second in function_map.CALLABLE:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
