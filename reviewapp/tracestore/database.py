"""Connections to the database file: one writer per process, one reader per thread."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviewapp.tracestore import arrays, jsonb, schema, settings, timestamps

# Shorter than the 10 seconds that exporters wait for a response.
BUSY_SECONDS = 5.0
# Rows are wide: an 8 KiB page holds two spans, the default of 4 KiB only one.
_PAGE_BYTES = 8192
_WRITER_CACHE_KIB = 1024
_READER_CACHE_KIB = 512
_CHECKPOINT_PAGES = 1024

# The request was fine, but the file cannot be used now: locked, full, or its disk fails.
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}

_writer_lock = threading.Lock()
_writers: dict[Path, sqlite3.Connection] = {}
_local = threading.local()


class BusyError(Exception):
    """Other threads of this process did not finish writing in time."""


def is_unavailable(error: sqlite3.Error) -> bool:
    """Whether the same request can succeed later."""
    # The low byte of an extended code is the primary one.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNAVAILABLE


@contextmanager
def writing() -> Iterator[sqlite3.Connection]:
    """Run the block in one write transaction: committed to disk at its end, rolled back if it raises.

    Raises BusyError, or sqlite3.Error that `is_unavailable`.
    """
    with _locked_writer():
        connection = _get_writer()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def reader() -> sqlite3.Connection:
    """Returns this thread's read connection; it sees committed data only."""
    connection: sqlite3.Connection | None = getattr(_local, "reader", None)
    if connection is None:
        create()
        connection = _local.reader = open_to_read()
    return connection


def create() -> None:
    """Create the file and its tables if needed."""
    with _locked_writer():
        _get_writer()


def open_to_read() -> sqlite3.Connection:
    """Open a read-only connection for the current thread. The file must exist."""
    connection = sqlite3.connect(
        f"{settings.DATABASE_FILE.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


@contextmanager
def _locked_writer() -> Iterator[None]:
    if not _writer_lock.acquire(timeout=BUSY_SECONDS):
        raise BusyError
    try:
        yield
    finally:
        _writer_lock.release()


def _get_writer() -> sqlite3.Connection:
    file = settings.DATABASE_FILE
    if file not in _writers:
        _writers[file] = _connect_to_write(file)
    return _writers[file]


def _connect_to_write(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    schema.prepare(connection)
    connection.create_function("jsonb_merge", 2, jsonb.merge, deterministic=True)
    connection.create_function("array_union", 2, arrays.union, deterministic=True)
    connection.create_function("seconds_between", 2, timestamps.seconds_between, deterministic=True)
    return connection
