"""One `migrate` at a time on a database: an advisory lock of PostgreSQL, or a lock file beside SQLite's."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from reviewapp.lib import file_lock
from reviewapp.management.queries import RELEASE_MIGRATION_LOCK, TRY_MIGRATION_LOCK

POLL_SECONDS = 0.2


class AnotherMigrateError(Exception):
    """Another `migrate` was still running at the deadline."""


@contextmanager
def hold_migration_lock(
    connection: BaseDatabaseWrapper, deadline: float, report_wait: Callable[[], None]
) -> Iterator[None]:
    """Hold the lock during the block; wait for it until `deadline` (monotonic). Raises AnotherMigrateError.

    `report_wait` is called once if another process has it.
    """
    hold = _try_lock if connection.vendor == "postgresql" else _try_file_lock
    release = hold(connection)
    if release is None:
        report_wait()
    while release is None:
        if time.monotonic() > deadline:
            raise AnotherMigrateError
        time.sleep(POLL_SECONDS)
        release = hold(connection)
    try:
        yield
    finally:
        release()


def _try_lock(connection: BaseDatabaseWrapper) -> Callable[[], None] | None:
    # Never the statement that waits: CREATE INDEX CONCURRENTLY of the other `migrate` would wait for it in turn.
    with connection.cursor() as cursor:
        cursor.execute(TRY_MIGRATION_LOCK)
        (is_locked,) = cursor.fetchone()
    return (lambda: _unlock(connection)) if is_locked else None


def _unlock(connection: BaseDatabaseWrapper) -> None:
    # A session that has ended, by an error, has no lock.
    if connection.is_usable():
        with connection.cursor() as cursor:
            cursor.execute(RELEASE_MIGRATION_LOCK)


def _try_file_lock(connection: BaseDatabaseWrapper) -> Callable[[], None] | None:
    path = Path(str(connection.settings_dict["NAME"]))
    if not path.parent.is_dir():
        # A database in memory, or one that cannot be opened, which is then said by the migration itself.
        return lambda: None
    handle = file_lock.acquire(path.with_name(f"{path.name}.migrate-lock"))
    return None if handle is None else lambda: file_lock.release(handle)
