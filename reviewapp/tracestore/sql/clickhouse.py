"""Run queries on ClickHouse itself, embedded, over a copy of a project's rows: `STORE_SQL=clickhouse`.

For comparing the store's own SQL with the engine behind Laminar's. It needs the extra `clickhouse`. It runs in the
process of worker.py, and copies the rows again after each write.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from sqlglot import exp

from reviewapp.tracestore import arrays, database, settings
from reviewapp.tracestore.sql import compiler, tables, worker
from reviewapp.tracestore.sql.errors import QueryError

# Answers are written as Laminar's server asks ClickHouse to.
_SETTINGS = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_named_tuples_as_objects": 1,
    "output_format_json_escape_forward_slashes": 0,
    "session_timezone": "'UTC'",
    "max_execution_time": worker.MAX_SECONDS,
    "max_memory_usage": worker.MEMORY_BYTES,
}

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


class _Engine:
    """An engine in this process with one project's rows; there can be only one in a process."""

    def __init__(self) -> None:
        # Optional and large: imported only where it is asked for.
        from chdb import session  # noqa: PLC0415

        self._session = session.Session()
        self._folder = tempfile.TemporaryDirectory(prefix="store-sql-")
        self._reader = database.open_to_read()
        self._copied: tuple[int, int] | None = None
        for name, value in _SETTINGS.items():
            self._session.query(f"SET {name} = {value}")

    def run(self, project: int, query: str, parameters: dict[str, Any]) -> list[bytes]:
        """Returns a JSON object a row. Raises RuntimeError with ClickHouse's message."""
        self._copy(project)
        result = self._session.query(query, "JSONEachRow", params=parameters)
        return result.bytes().splitlines() if result is not None else []

    def _copy(self, project: int) -> None:
        (version,) = self._reader.execute("PRAGMA data_version").fetchone()
        if self._copied == (project, version):
            return
        for table, columns in tables.CLICKHOUSE_COLUMNS.items():
            names = ", ".join(column.split()[0] for column in columns)
            cursor = self._reader.execute(
                f"WITH {tables.SCOPED} SELECT {names} FROM `{table}`", {tables.PROJECT: project}
            )
            file = Path(self._folder.name, f"{table}.jsonl")
            with file.open("w") as lines:
                lines.writelines(
                    json.dumps([arrays.unpack(value) if isinstance(value, bytes) else value for value in row]) + "\n"
                    for row in cursor
                )
            self._session.query(f"CREATE OR REPLACE TABLE {table} ({', '.join(columns)}) ENGINE = Memory")
            self._session.query(f"INSERT INTO {table} SELECT * FROM file('{file}', JSONCompactEachRow)")
            file.unlink()
        self._copied = (project, version)


_engines: dict[Path, _Engine] = {}


def run_query(project: int, query: str, parameters: dict[str, Any]) -> bytes:
    """Returns the response body `{"data": [{column: value}, …]}`. Raises QueryError."""
    tree = compiler.parse_query(query)
    if any(select.args.get(name) for select in tree.find_all(exp.Select) for name in ("settings", "format")):
        # Like Laminar, which sets both itself.
        for select in tree.find_all(exp.Select):
            select.set("settings", None)
            select.set("format", None)
        query = tree.sql(dialect="clickhouse")
    try:
        engine = _engines.get(settings.DATABASE_FILE) or _engines.setdefault(settings.DATABASE_FILE, _Engine())
        rows = engine.run(project, query, {name: _to_text(value) for name, value in parameters.items()})
    except RuntimeError as error:
        raise QueryError(f"Error executing query: {error}") from None
    return b'{"data":[' + b",".join(rows) + b"]}"


def _to_text(value: Any) -> str:
    """Returns a parameter's value as ClickHouse reads it: escaped as in its tab-separated format."""
    if value is None:
        return "\\N"
    text = _to_list(value) if isinstance(value, list) else _to_plain(value)
    for character, escaped in _ESCAPES.items():
        text = text.replace(character, escaped)
    return text


def _to_list(items: list[Any]) -> str:
    return f"[{','.join(_to_list(item) if isinstance(item, list) else _quote(item) for item in items)}]"


def _to_plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quote(value: Any) -> str:
    text = _to_plain(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'" if isinstance(value, str) else text
