"""Whether this process can serve requests: its database is reachable, migrated and writable, and it is not stopping."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cache
from pathlib import Path
from threading import Lock, Thread

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from reviewapp.lib import deadline, http_server
from reviewapp.lib.database_faults import Fault, find_fault

TIMEOUT_SECONDS = 1.0
STOPPING = "This process is stopping."
NO_ANSWER = "The database does not answer."
NOT_MIGRATED = "Migrations are missing: run manage.py migrate."
NOT_WRITABLE = "The database cannot be written: its disk is full, or it is read-only."
_MESSAGES = {
    Fault.NO_ANSWER: NO_ANSWER,
    Fault.MISSING_MIGRATIONS: NOT_MIGRATED,
    Fault.FULL_OR_READ_ONLY: NOT_WRITABLE,
}

_lock = Lock()
_running: dict[Callable[[], str], Future[str]] = {}


def find_obstacle() -> str:
    """Return why this process is not ready, as a sentence; empty if it is. Takes TIMEOUT_SECONDS at most."""
    if http_server.is_stopping():
        return STOPPING
    # Reads the migrations of this version from disk, once: not the database's time.
    _newest_migrations()
    return run_check(_check_database)


def run_check(check: Callable[[], str]) -> str:
    """Return the result of a check, or why it failed, within TIMEOUT_SECONDS."""
    try:
        return _start(check).result(TIMEOUT_SECONDS)
    except FutureTimeoutError:
        return NO_ANSWER


def _start(check: Callable[[], str]) -> "Future[str]":
    """Run a check on a thread of its own, which can be left alone if it hangs; each once at a time."""
    with _lock:
        running = _running.get(check)
        if running is None or running.done():
            running = _running[check] = Future()
            Thread(target=_run, args=(check, running), name="readiness", daemon=True).start()
        return running


def _run(check: Callable[[], str], future: "Future[str]") -> None:
    try:
        with deadline.limit(TIMEOUT_SECONDS):
            future.set_result(check())
    except Error as error:
        future.set_result(_MESSAGES[find_fault(error) or Fault.NO_ANSWER])
    except BaseException as error:
        future.set_exception(error)
        raise
    finally:
        connection.close()


def _check_database() -> str:
    applied = MigrationRecorder(connection).applied_migrations()
    if not _newest_migrations() <= applied.keys():
        return NOT_MIGRATED
    is_writable = _is_sqlite_writable() if connection.vendor == "sqlite" else _is_postgresql_writable()
    return "" if is_writable else NOT_WRITABLE


@cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    """The migrations of this version after which no other comes; an older version's are among the newer's."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _is_sqlite_writable() -> bool:
    path = Path(connection.settings_dict["NAME"])
    space = os.statvfs(path.parent)
    return bool(space.f_bavail) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _is_postgresql_writable() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('transaction_read_only') = 'off'"
            " AND has_table_privilege('reviewapp_review', 'INSERT')"
        )
        return bool(cursor.fetchone()[0])
