"""Plain SQL, written once for SQLite and PostgreSQL, for the statements that every save passes.

Composing such a statement costs the ORM ten times what running it costs the database; here it is a constant.
Whatever is not on that way stays with the ORM.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection


def rows(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What a statement with `%s` places answers, as the database spells it: SQLite knows no time and no UUID."""
    with connection.cursor() as cursor:
        cursor.execute(_locking(statement), [bound(value) for value in values])
        return list(cursor.fetchall())


def change(statement: str, *values: object) -> int:
    """How many rows a statement with `%s` places changed."""
    with connection.cursor() as cursor:
        cursor.execute(_locking(statement), [bound(value) for value in values])
        return int(cursor.rowcount)


def bound(value: object) -> Any:
    """A value as the database in use stores it."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, Decimal):
        return connection.ops.adapt_decimalfield_value(value, 12, 4)
    return value


def _locking(statement: str) -> str:
    # On SQLite a transaction that may write has locked everything from its beginning.
    if connection.features.has_select_for_update:
        return statement
    return statement.replace("FOR UPDATE SKIP LOCKED", "").replace("FOR UPDATE", "")
