"""SQLite for several writers at once.

SQLite lets a writer that finds the database taken sleep for up to 100 ms between two looks, and with eight people
saving together most of the time went by in such sleeps. A transaction here looks again after half a millisecond.
"""

import time
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

PAUSE = 0.0005


class DatabaseWrapper(base.DatabaseWrapper):
    """The backend that settings name as `reviewapp.lib.sqlite`."""

    def _start_transaction_under_autocommit(self) -> None:
        patience = float(self.settings_dict["OPTIONS"].get("timeout", 5))
        until = time.monotonic() + patience
        with self.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 0")
            try:
                self._begin(cursor, until)
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")

    def _begin(self, cursor: Any, until: float) -> None:
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                return
            except OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(PAUSE)
