"""Plain SQL, written once for SQLite and PostgreSQL, for the statements that every save passes.

Composing such a statement costs the ORM ten times what running it costs the database; here it is a constant.
Whatever is not on that way stays with the ORM.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

from django.db import connection
from django.db.models import Field, Model

_FOR_UPDATE = re.compile(r"FOR (?:UPDATE|KEY SHARE)(?: OF \w+)?(?: SKIP LOCKED)?")
# What both databases take as it is.
_PLAIN = (str, int, float, type(None))
BATCH_SIZE = 500
# Rows from which on PostgreSQL gets them as one text: the driver looks for each single place in a statement.
BULK_THRESHOLD = 10
M = TypeVar("M", bound=Model)
V = TypeVar("V")


def fetch_rows(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What a statement with `%s` places answers, as the database spells it: SQLite knows no time and no UUID."""
    with connection.cursor() as cursor:
        cursor.execute(_locking(statement), [to_db_value(value) for value in values])
        return list(cursor.fetchall())


def fetch_objects(model: type[M], statement: str, *values: object) -> list[M]:
    """The rows of a statement as objects of a model, whose columns it selects; columns left out are read when asked."""
    with connection.cursor() as cursor:
        cursor.execute(_locking(statement), [to_db_value(value) for value in values])
        found = cursor.fetchall()
        if not found:
            return []
        columns = tuple(column[0] for column in cursor.description)
    shape = _shape(model, columns, connection.vendor)
    return [
        model.from_db(connection.alias, shape.names, [read(row[place]) for place, read in shape.reads]) for row in found
    ]


def fetch_first(model: type[M], statement: str, *values: object) -> M | None:
    """The first row of a statement as an object of a model, None without any.

    No row has a NUL, which PostgreSQL refuses in a value: whoever types one into an address or a form finds none.
    """
    if any(isinstance(value, str) and "\x00" in value for value in values):
        return None
    return next(iter(fetch_objects(model, statement, *values)), None)


def execute(statement: str, *values: object) -> int:
    """How many rows a statement with `%s` places changed."""
    with connection.cursor() as cursor:
        cursor.execute(_locking(statement), [to_db_value(value) for value in values])
        return int(cursor.rowcount)


def fetch_rows_in(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """As `rows`; the last of the values is a list, whose place in the statement is `[]`, and may be of any length."""
    *before, wanted = values
    found: list[tuple[Any, ...]] = []
    for part in _parts(cast(Sequence[object], wanted)):
        found += fetch_rows(statement.replace("[]", placeholders(part)), *before, *part)
    return found


def insert(head: str, new: Sequence[Sequence[object]], tail: str = "") -> None:
    """Insert any number of rows by few statements; `head` ends before VALUES, `tail` says what to do with conflicts."""
    for part in _parts(new):
        statement, values = _insert(head, part, tail)
        execute(statement, *values)


def insert_returning(head: str, new: Sequence[Sequence[object]], tail: str) -> list[tuple[Any, ...]]:
    """As `add`, with a `tail` that says what to answer of each row that was inserted."""
    found: list[tuple[Any, ...]] = []
    for part in _parts(new):
        statement, values = _insert(head, part, tail)
        found += fetch_rows(statement, *values)
    return found


def insert_objects(new: Sequence[Model], *answer: str) -> list[tuple[Any, ...]]:
    """Insert these objects of one model, their fields plain values; whatever stands in their place is left.

    Answers these columns of each row that was inserted, as the database spells them.
    """
    if not new:
        return []
    fields = [field for field in new[0]._meta.concrete_fields if not field.primary_key]
    head = f"INSERT INTO {new[0]._meta.db_table} ({', '.join(str(field.column) for field in fields)})"
    rows = [[getattr(each, field.attname) for field in fields] for each in new]
    return insert_returning(head, rows, f"ON CONFLICT DO NOTHING RETURNING {', '.join(answer)}")


def placeholders(values: Collection[object]) -> str:
    """As many places as there are values, in brackets: `(%s, %s)`."""
    return f"({', '.join(['%s'] * len(values))})"


def execute_many(statement: str, each: Sequence[Sequence[object]]) -> None:
    """Run a statement once for each of these rows of values."""
    if each:
        with connection.cursor() as cursor:
            cursor.executemany(statement, [[to_db_value(value) for value in values] for values in each])


def to_db_value(value: object) -> Any:
    """A value as the database in use stores it."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, Decimal):
        return connection.ops.adapt_decimalfield_value(value, 12, 4)
    return value


def _insert(head: str, new: Sequence[Sequence[object]], tail: str) -> tuple[str, Sequence[object]]:
    """A statement that inserts these rows, and its values."""
    if connection.vendor != "postgresql" or len(new) < BULK_THRESHOLD:
        return f"{head} VALUES {', '.join([placeholders(new[0])] * len(new))} {tail}", [
            value for row in new for value in row
        ]
    table, _, columns = head.removeprefix("INSERT INTO ").removesuffix(")").partition(" (")
    names = columns.split(", ")
    text = json.dumps([dict(zip(names, row, strict=True)) for row in new], default=str)
    return f"{head} SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s) {tail}", [text]  # noqa: S608


def parse_datetime(value: object) -> datetime | None:
    """A time as `rows` answers it, aware: SQLite has but its text, in UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=value.tzinfo or UTC) if isinstance(value, datetime) else None


def _parts(values: Sequence[V]) -> Iterator[Sequence[V]]:
    # Both databases bound the values of one statement, PostgreSQL at 65,535 and SQLite at 32,766.
    return (values[start : start + BATCH_SIZE] for start in range(0, len(values), BATCH_SIZE))


class _Shape(NamedTuple):
    """How rows become objects of a model: its attributes in its order, and where and how each is read from a row."""

    names: list[str]
    reads: list[tuple[int, Callable[[Any], Any]]]


@cache
def _shape(model: type[Model], columns: tuple[str, ...], vendor: str) -> _Shape:
    """The shape of rows with these columns, as the database `vendor` spells them."""
    fields = [field for field in model._meta.concrete_fields if field.column in columns]
    return _Shape(
        [field.attname for field in fields], [(columns.index(field.column), _reader(field)) for field in fields]
    )


def _reader(field: "Field[Any, Any]") -> Callable[[Any], Any]:
    """What turns a stored value of this field into Python's."""
    column = field.get_col(field.model._meta.db_table)
    converters = [*connection.ops.get_db_converters(column), *field.get_db_converters(connection)]
    if not converters:
        return _as_it_is

    def read(value: Any) -> Any:
        for convert in converters:
            value = convert(value, column, connection)
        return value

    return read


def _as_it_is(value: Any) -> Any:
    return value


def _locking(statement: str) -> str:
    # On SQLite a transaction that may write has locked everything from its beginning.
    if connection.features.has_select_for_update:
        return statement
    return _FOR_UPDATE.sub("", statement)
