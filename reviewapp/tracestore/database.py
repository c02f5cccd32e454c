"""Connections to the database file: one writer per process, one reader per thread."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviewapp.tracestore import arrays, jsonb, schema, settings, timestamps

BUSY_SECONDS = 20.0
# Rows are wide: an 8 KiB page holds two spans, the default of 4 KiB only one.
_PAGE_BYTES = 8192
_WRITER_CACHE_KIB = 1024
_READER_CACHE_KIB = 512
_CHECKPOINT_PAGES = 1024

_writer_lock = threading.Lock()
_writers: dict[Path, sqlite3.Connection] = {}
_local = threading.local()


@contextmanager
def writing() -> Iterator[sqlite3.Connection]:
    """Run the block in one write transaction: committed to disk at its end, rolled back if it raises."""
    with _writer_lock:
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
    with _writer_lock:
        _get_writer()


def open_to_read() -> sqlite3.Connection:
    """Open a read-only connection for the current thread. The file must exist."""
    connection = sqlite3.connect(
        f"{settings.DATABASE_FILE.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


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
