"""Connections to the store's one file: a single writer, and a reader for each thread."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviewapp.tracestore import arrays, jsonb, schema, settings, timestamps

BUSY_SECONDS = 20.0
# Wide rows: 8 KiB pages hold two spans each, where the default of 4 KiB holds one.
_PAGE_BYTES = 8192
_WRITER_CACHE_KIB = 1024
_READER_CACHE_KIB = 512
_CHECKPOINT_PAGES = 1024

_one_writer = threading.Lock()
_writers: dict[Path, sqlite3.Connection] = {}
_local = threading.local()


@contextmanager
def writing() -> Iterator[sqlite3.Connection]:
    """One transaction: on disk when the block ends, undone when it raises."""
    with _one_writer:
        connection = _writer()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def reader() -> sqlite3.Connection:
    """This thread's connection for reading; it sees what is committed."""
    connection: sqlite3.Connection | None = getattr(_local, "reader", None)
    if connection is None:
        connection = _local.reader = connect_to_read()
    return connection


def connect_to_read() -> sqlite3.Connection:
    """A new connection that cannot write, for the thread that asks."""
    with _one_writer:
        _writer()
    connection = sqlite3.connect(
        f"{settings.DATABASE_FILE.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


def _writer() -> sqlite3.Connection:
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
