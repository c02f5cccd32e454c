"""SQLite for several writers at once.

SQLite lets a writer that finds the database taken sleep for up to 100 ms between two looks, and with eight people
saving together most of the time went by in such sleeps. A transaction here looks again after a millisecond.
"""

import sqlite3
import time

from django.db.backends.sqlite3 import base

PAUSE = 0.001


class DatabaseWrapper(base.DatabaseWrapper):
    """The backend that settings name as `reviewapp.lib.sqlite`."""

    def _start_transaction_under_autocommit(self) -> None:
        patience = float(self.settings_dict["OPTIONS"].get("timeout", 5))
        # The connection itself and not a cursor of Django's: several threads look, each a thousand times a second.
        connection: sqlite3.Connection = self.connection
        with self.wrap_database_errors:
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                _begin(connection, time.monotonic() + patience)
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")


def _begin(connection: sqlite3.Connection, until: float) -> None:
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(PAUSE)
