"""Plain SQL for SQLite and PostgreSQL, for the statements that every save runs.

The ORM takes ten times as long to build such a statement as the database takes to run it; here it is a constant.
Everything else stays with the ORM.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

_FOR_UPDATE = re.compile(r"FOR (?:UPDATE|KEY SHARE)(?: OF \w+)?(?: SKIP LOCKED)?")
# Errors of the database itself: unlike other errors, they say nothing about the row at hand.
DATABASE_FAILURES = (OperationalError, InterfaceError)
# Types that both databases accept unchanged.
_PLAIN = (str, int, float, type(None))
BATCH_SIZE = 500
# From this many rows, PostgreSQL gets them as one JSON text: the driver is slow with many placeholders.
BULK_THRESHOLD = 10
M = TypeVar("M", bound=Model)
V = TypeVar("V")


def fetch_rows(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a statement with `%s` placeholders, as the database stores them (SQLite: times are text)."""
    with connection.cursor() as cursor:
        cursor.execute(_strip_locking(statement), to_db_values(values))
        return list(cursor.fetchall())


def fetch_objects(model: type[M], statement: str, *values: object) -> list[M]:
    """Return the rows of a statement as model objects. Columns it does not select are deferred."""
    with connection.cursor() as cursor:
        cursor.execute(_strip_locking(statement), to_db_values(values))
        rows = cursor.fetchall()
        if not rows:
            return []
        columns = tuple(column[0] for column in cursor.description)
    shape = _shape(model, columns, connection.vendor)
    return [
        model.from_db(connection.alias, shape.names, [read(row[index]) for index, read in shape.readers])
        for row in rows
    ]


def fetch_first(model: type[M], statement: str, *values: object) -> M | None:
    """Return the first row of a statement as a model object, or None.

    A value with NUL, from a URL or a form, matches no row; PostgreSQL would refuse it.
    """
    if any(isinstance(value, str) and "\x00" in value for value in values):
        return None
    return next(iter(fetch_objects(model, statement, *values)), None)


def execute(statement: str, *values: object) -> int:
    """Run a statement with `%s` placeholders. Returns the number of changed rows."""
    with connection.cursor() as cursor:
        cursor.execute(_strip_locking(statement), to_db_values(values))
        return int(cursor.rowcount)


def fetch_rows_in(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Like `fetch_rows`; the last value is a list of any length, for the `[]` in the statement."""
    *fixed, listed = values
    rows: list[tuple[Any, ...]] = []
    for batch in _batches(cast(Sequence[object], listed)):
        rows += fetch_rows(statement.replace("[]", placeholders(batch)), *fixed, *batch)
    return rows


def insert(head: str, rows: Sequence[Sequence[object]], tail: str = "") -> None:
    """Insert any number of rows in few statements. `head` ends before VALUES, `tail` handles conflicts."""
    for batch in _batches(rows):
        statement, values = _build_insert(head, batch, tail)
        execute(statement, *values)


def insert_returning(head: str, rows: Sequence[Sequence[object]], tail: str) -> list[tuple[Any, ...]]:
    """Like `insert`, with a RETURNING clause in `tail`. Returns a row for each inserted one."""
    returned: list[tuple[Any, ...]] = []
    for batch in _batches(rows):
        statement, values = _build_insert(head, batch, tail)
        returned += fetch_rows(statement, *values)
    return returned


def insert_objects(objects: Sequence[Model], *columns: str) -> list[tuple[Any, ...]]:
    """Insert objects of one model, whose fields are plain values. Existing rows are left unchanged.

    Returns `columns` of each inserted row, as the database stores them.
    """
    if not objects:
        return []
    fields = [field for field in objects[0]._meta.concrete_fields if not field.primary_key]
    head = f"INSERT INTO {objects[0]._meta.db_table} ({', '.join(str(field.column) for field in fields)})"
    rows = [[getattr(item, field.attname) for field in fields] for item in objects]
    return insert_returning(head, rows, f"ON CONFLICT DO NOTHING RETURNING {', '.join(columns)}")


def insert_copies(
    template: Model, columns: Sequence[str], rows: Sequence[Sequence[object]], *returned: str
) -> list[tuple[Any, ...]]:
    """Insert a copy of `template` for each row, which has its own values in `columns`. Existing rows stay unchanged.

    What the rows share is sent once, and no object is made per row. Returns the columns `returned` of each inserted
    row, as the database stores them.
    """
    fields = [field for field in template._meta.concrete_fields if not field.primary_key]
    shared = {str(field.column): getattr(template, field.attname) for field in fields if field.column not in columns}
    table, listed = template._meta.db_table, ", ".join(columns)
    tail = f"ON CONFLICT DO NOTHING RETURNING {', '.join(returned)}"
    inserted: list[tuple[Any, ...]] = []
    for batch in _batches(rows):
        if connection.vendor == "postgresql":
            names, values = listed, cast("list[object]", [_dump_rows(columns, batch)])
            source = f"json_populate_recordset(NULL::{table}, %s)"
        else:
            # SQLite's names for the columns of VALUES; without WHERE it would read ON as a part of the FROM clause.
            names = ", ".join(f"column{number}" for number in range(1, len(columns) + 1))
            source = f"(VALUES {', '.join([placeholders(columns)] * len(batch))}) WHERE true"
            values = [value for row in batch for value in row]
        statement = f"""
            INSERT INTO {table} ({listed}, {", ".join(shared)})
            SELECT {names}, {", ".join(["%s"] * len(shared))} FROM {source} {tail}
        """  # noqa: S608
        inserted += fetch_rows(statement, *shared.values(), *values)
    return inserted


def placeholders(values: Collection[object]) -> str:
    """A placeholder for each value, in brackets: `(%s, %s)`."""
    return f"({', '.join(['%s'] * len(values))})"


def execute_many(statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Run a statement once for each row of values."""
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, [to_db_values(values) for values in rows])


def to_db_value(value: object) -> Any:
    """Convert a value to what the current database stores."""
    return to_db_values([value])[0]


def to_db_values(values: Iterable[object]) -> list[Any]:
    """Convert values to what the current database stores."""
    # Each attribute of Django's `connection` is looked up per thread, which costs more than most conversions.
    database = connections[DEFAULT_DB_ALIAS]
    return [value if isinstance(value, _PLAIN) else _convert(value, database) for value in values]


def _convert(value: object, database: BaseDatabaseWrapper) -> Any:
    if isinstance(value, UUID):
        return value if database.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return database.ops.adapt_datetimefield_value(value)
    if isinstance(value, Decimal):
        return value if database.vendor == "postgresql" else format(value, "f")
    return value


def _build_insert(head: str, rows: Sequence[Sequence[object]], tail: str) -> tuple[str, Sequence[object]]:
    """Build the statement that inserts these rows, and its values."""
    if connection.vendor != "postgresql" or len(rows) < BULK_THRESHOLD:
        value_lists = ", ".join([placeholders(rows[0])] * len(rows))
        return f"{head} VALUES {value_lists} {tail}", [value for row in rows for value in row]
    table, _, columns = head.removeprefix("INSERT INTO ").removesuffix(")").partition(" (")
    names = columns.split(", ")
    text = _dump_rows(names, rows)
    return f"{head} SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s) {tail}", [text]  # noqa: S608


def _dump_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The rows as a JSON array of objects."""
    return json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str)


def parse_datetime(value: object) -> datetime | None:
    """Convert a time from `fetch_rows` to an aware one: SQLite stores it as text in UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=value.tzinfo or UTC) if isinstance(value, datetime) else None


def _batches(values: Sequence[V]) -> Iterator[Sequence[V]]:
    # Both databases limit the values of one statement: PostgreSQL to 65,535, SQLite to 32,766.
    return (values[start : start + BATCH_SIZE] for start in range(0, len(values), BATCH_SIZE))


class _Shape(NamedTuple):
    """How rows become model objects: attribute names in the model's order, and a column index and reader for each."""

    names: list[str]
    readers: list[tuple[int, Callable[[Any], Any]]]


@cache
def _shape(model: type[Model], columns: tuple[str, ...], vendor: str) -> _Shape:
    """The shape of rows with these columns, cached per database vendor."""
    fields = [field for field in model._meta.concrete_fields if field.column in columns]
    return _Shape(
        [field.attname for field in fields], [(columns.index(field.column), _make_reader(field)) for field in fields]
    )


def _make_reader(field: "Field[Any, Any]") -> Callable[[Any], Any]:
    """Return the function that converts a stored value of this field to Python."""
    column = field.get_col(field.model._meta.db_table)
    converters = [*connection.ops.get_db_converters(column), *field.get_db_converters(connection)]
    if not converters:
        return _identity

    def read(value: Any) -> Any:
        for convert in converters:
            value = convert(value, column, connection)
        return value

    return read


def _identity(value: Any) -> Any:
    return value


def _strip_locking(statement: str) -> str:
    # On SQLite, a transaction that may write has locked the whole database from its start.
    return statement if connection.features.has_select_for_update else _without_locking(statement)


@lru_cache(maxsize=1000)
def _without_locking(statement: str) -> str:
    return _FOR_UPDATE.sub("", statement)
