"""`manage.py migrate`: behind a reader, beside saves, and twice at the same time."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management.base import CommandError
from django.db import connection

from reviewapp.delivery.models import RestoreMarker
from reviewapp.lib import file_lock
from tests.commands.runner import run_command
from tests.faults.processes import process_environment, wait_until
from tests.tracestore_server import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = "0016"
READ, SAVE = "SELECT * FROM reviewapp_tide", "UPDATE reviewapp_tide SET mark = mark + 1"


def start_migrate(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "manage.py", "migrate", "--no-color", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=process_environment(folder) | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def has_column() -> bool:
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, RestoreMarker._meta.db_table)
    return "location" in {column.name for column in columns}


def is_migrate_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted")
        return cursor.fetchone() is not None


@pytest.fixture
def pending(transactional_db: None) -> Iterator[None]:
    """A migration that alters a table has yet to be applied; it is applied after the test."""
    run_command("migrate", "reviewapp", BEFORE)
    yield
    run_command("migrate")


@pytest.fixture
def other() -> Iterator[psycopg.Connection]:
    """Another session of PostgreSQL."""
    with psycopg.connect(process_environment(Path())["DATABASE_URL"]) as session:
        yield session


@pytest.fixture
def empty_database() -> Iterator[str]:
    """A database without tables, beside the test's own. Returns its URL, for PostgreSQL."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/empty").geturl()
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS empty")
        cursor.execute("CREATE DATABASE empty")
        yield url
        cursor.execute("DROP DATABASE empty WITH (FORCE)")


@pytest.mark.postgres
def test_it_lets_saves_pass_while_a_reader_has_the_table(
    pending: None, other: psycopg.Connection, tmp_path: Path
) -> None:
    other.execute(READ)
    process = start_migrate(tmp_path)
    with connection.cursor() as cursor, process:
        cursor.execute("SET lock_timeout = '5s'")
        for _ in range(3):
            wait_until(is_migrate_waiting)
            # It waits behind the migration, which gives up its place while the reader stays.
            cursor.execute(SAVE)
        assert process.poll() is None
        other.rollback()
        output = process.communicate(timeout=120)[0]
        cursor.execute("RESET lock_timeout")
    assert (process.returncode, has_column()) == (0, True)
    assert "A table is in use. Trying again in 1 s" in output


@pytest.mark.postgres
def test_it_ends_with_a_sentence_when_a_reader_stays(pending: None, other: psycopg.Connection) -> None:
    other.execute(READ)
    with pytest.raises(CommandError, match="That migration was rolled back") as refusal:
        run_command("migrate", "--wait=0")
    assert f"process {other.info.backend_pid}" in str(refusal.value)
    assert not has_column()


@pytest.mark.postgres
def test_it_leaves_no_timeouts_behind() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        before = cursor.fetchone()
        run_command("migrate")
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == before


def test_it_ends_with_a_sentence_when_a_writer_stays(pending: None) -> None:
    with write(), pytest.raises(CommandError, match="still in use after 0 seconds"):
        run_command("migrate", "--wait=0")
    connection.close()
    assert not has_column()


@contextlib.contextmanager
def write() -> Iterator[None]:
    """Write from another session; SQLite's lock is waited for briefly."""
    if connection.vendor == "postgresql":
        with psycopg.connect(process_environment(Path())["DATABASE_URL"]) as session:
            session.execute("LOCK TABLE reviewapp_tide IN ROW EXCLUSIVE MODE")
            yield
        return
    with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"])) as writer:
        writer.execute("BEGIN IMMEDIATE")
        connection.close()
        connection.ensure_connection()
        connection.connection.timeout = 0.1
        yield


def test_it_migrates_an_empty_database_once_at_a_time(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    if connection.vendor == "postgresql":
        url = request.getfixturevalue("empty_database")
    processes = [start_migrate(tmp_path, DATABASE_URL=url) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sorted("Applying reviewapp.0001" in output for output in outputs) == [False, True]
    assert sorted("No migrations to apply." in output for output in outputs) == [False, True]


def test_it_ends_with_a_sentence_when_another_goes_on() -> None:
    with hold_lock(), pytest.raises(CommandError, match="Another migrate was still running"):
        run_command("migrate", "--wait=0")
    assert "No migrations to apply." in run_command("migrate")


@contextlib.contextmanager
def hold_lock() -> Iterator[None]:
    """Do as another `migrate` does."""
    name = Path(str(connection.settings_dict["NAME"]))
    if connection.vendor == "sqlite":
        handle = file_lock.acquire(name.with_name(f"{name.name}.migrate-lock"))
        assert handle is not None
        yield
        file_lock.release(handle)
        return
    with psycopg.connect(process_environment(Path())["DATABASE_URL"]) as session:
        session.execute("SELECT pg_advisory_lock(7275368191)")
        yield
