"""Writers of SQLite wait for each other in milliseconds, and not for ever."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from reviewapp.lib.sqlite_connection import BEGIN, Connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.sqlite3"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection that holds the write lock."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(BEGIN)
    yield connection
    connection.close()


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=timeout, factory=Connection)


def test_it_begins_once_the_other_writer_has_committed(path: Path, writer: sqlite3.Connection) -> None:
    connection = connect(path, 20)
    Timer(0.05, lambda: writer.execute("COMMIT")).start()
    connection.cursor().execute(BEGIN)
    assert connection.in_transaction


def test_it_refuses_to_begin_after_its_timeout(path: Path, writer: sqlite3.Connection) -> None:
    connection = connect(path, 0.05)
    start = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connection.cursor().execute(BEGIN)
    assert time.monotonic() - start >= 0.05


def test_it_restores_the_timeout_of_other_statements(path: Path) -> None:
    connection = connect(path, 7)
    connection.cursor().execute(BEGIN)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (7_000,)
