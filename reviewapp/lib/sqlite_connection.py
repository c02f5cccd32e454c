"""A SQLite connection for several concurrent writers, named in settings as `OPTIONS["factory"]`.

While another connection writes, SQLite's own busy handler sleeps for up to 100 ms between two attempts; with eight
people saving at once, most of the time was spent in such sleeps. Here `BEGIN IMMEDIATE` is attempted every millisecond.
"""

import sqlite3
import time
from functools import cache
from typing import Any

from reviewapp.lib import deadline

INTERVAL_SECONDS = 0.001
BEGIN = "BEGIN IMMEDIATE"


class Connection(sqlite3.Connection):
    """Waits for the write lock: `timeout` seconds, or until the deadline. Then raises sqlite3.OperationalError."""

    def __init__(self, database: str, timeout: float = 5.0, **options: Any) -> None:
        super().__init__(database, timeout, **options)
        self.timeout = timeout

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        return super().cursor(_with_begin(factory))

    def begin(self) -> None:
        # On the connection, not on a cursor of Django's: several threads attempt this a thousand times a second.
        self.execute("PRAGMA busy_timeout = 0")
        try:
            _begin(self, time.monotonic() + deadline.remaining(self.timeout))
        finally:
            self.execute(f"PRAGMA busy_timeout = {int(self.timeout * 1000)}")


class _BeginMixin:
    """A cursor whose BEGIN IMMEDIATE waits as its connection does."""

    connection: Connection

    def execute(self, query: str, *args: Any) -> Any:
        if query == BEGIN:
            self.connection.begin()
            return self
        return super().execute(query, *args)  # type: ignore[misc]


@cache
def _with_begin(factory: type[sqlite3.Cursor]) -> type[sqlite3.Cursor]:
    return type(factory.__name__, (_BeginMixin, factory), {})


def _begin(connection: Connection, ends_at: float) -> None:
    while True:
        try:
            sqlite3.Connection.execute(connection, BEGIN)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends_at:
                raise
            time.sleep(INTERVAL_SECONDS)
