"""Which processes use this machine's SQLite database, so that a restore does not replace it under them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from reviewapp.lib import file_lock

POLL_SECONDS = 0.2
_handles: list[int] = []


class InUseError(Exception):
    """A web process or a worker is running."""


def get_sqlite_path() -> Path | None:
    """Return the path of the database file, or None on PostgreSQL."""
    database = settings.DATABASES["default"]
    return Path(database["NAME"]) if database["ENGINE"] == "django.db.backends.sqlite3" else None


def register_use() -> None:
    """Use the database until this process ends; wait first for a restore that is running."""
    path = get_sqlite_path()
    while path is not None:
        try:
            handle = file_lock.acquire(_lock_path(path), is_shared=True)
        except OSError:
            # A folder that cannot be written to. What needs it says so; a restore needs it too.
            return
        if handle is not None:
            _handles.append(handle)
            return
        time.sleep(POLL_SECONDS)


@contextmanager
def hold_sole_use() -> Iterator[None]:
    """Let no web process and no worker start during the block. Raises InUseError if one is running.

    On PostgreSQL this does nothing: the server knows its sessions.
    """
    path = get_sqlite_path()
    handle = None if path is None else file_lock.acquire(_lock_path(path))
    if path is not None and handle is None:
        raise InUseError
    try:
        yield
    finally:
        if handle is not None:
            file_lock.release(handle)


def _lock_path(database: Path) -> Path:
    return database.with_name(f"{database.name}.use-lock")
