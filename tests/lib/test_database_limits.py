"""Both databases wait as long as the settings say, and no longer than the current work may take."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, connections

from reviewapp.lib import deadline
from reviewapp.lib.database_faults import Fault, find_fault
from reviewapp.lib.sqlite_connection import BEGIN, Connection
from tests.faults.processes import process_environment


@pytest.fixture
def limited_statements(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """New connections, with the limits of the web app and the worker."""
    monkeypatch.setattr(deadline._Process, "has_statement_limits", True)
    connections.close_all()
    yield
    connections.close_all()


def show(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def test_it_waits_twenty_seconds_for_a_lock_by_default(limited_statements: None) -> None:
    assert settings.DATABASE_LOCK_SECONDS == 20
    if connection.vendor == "postgresql":
        assert [show(name) for name in ("lock_timeout", "statement_timeout")] == ["20s", "20s"]
        return
    connection.ensure_connection()
    assert connection.connection.timeout == 20
    assert connection.connection.execute("PRAGMA busy_timeout").fetchone() == (20_000,)


@pytest.mark.postgres
def test_it_limits_no_command(transactional_db: None) -> None:
    connections.close_all()
    assert show("statement_timeout") == "0"


@pytest.mark.postgres
def test_it_ends_a_statement_at_the_deadline_and_connects_again(transactional_db: None) -> None:
    cursor = connection.cursor()
    with pytest.raises(OperationalError, match="did not answer in time") as caught, deadline.limit(0.3):
        cursor.execute("SELECT pg_sleep(60)")
    assert find_fault(caught.value) is Fault.NO_ANSWER
    connection.close_if_unusable_or_obsolete()
    assert show("server_version")


def test_it_ends_the_wait_for_the_write_lock_at_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "test.sqlite3"
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute(BEGIN)
        waiting = sqlite3.connect(path, isolation_level=None, timeout=600, factory=Connection)
        with deadline.limit(0.05), pytest.raises(sqlite3.OperationalError, match="locked"):
            waiting.cursor().execute(BEGIN)


@pytest.mark.sqlite
def test_it_acknowledges_what_survives_a_power_loss(transactional_db: None) -> None:
    """FULL (2) waits until each commit is on the disk; NORMAL does so for some, OFF for none."""
    connections.close_all()
    with connection.cursor() as cursor:
        values = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
    assert values == [2, "wal"]


@pytest.mark.postgres
def test_it_connects_again_when_the_server_has_closed_the_connection(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with psycopg.connect(process_environment(Path())["DATABASE_URL"]) as other:
        assert other.execute("SELECT pg_terminate_backend(%s, 30000)", [pid]).fetchone() == (True,)
    # As at the start of each request.
    close_old_connections()
    assert show("server_version")
