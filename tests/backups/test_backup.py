"""`manage.py backup` and `manage.py restore`, as processes on a database of their own."""

import contextlib
import os
import resource
import secrets
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from reviewapp.lib import file_lock
from tests.environment import POSTGRES_SERVER
from tests.tracestore_server import ROOT

# What the processes of an installation need, with a project that has a waiting patch.
SEED = """
from reviewapp.accounts.models import Project
from reviewapp.delivery import restore_guard
from reviewapp.keys.models import LaminarKey
from tests.delivery.patches import put
project = Project.objects.create(slug="support", name="Support", base_url="http://127.0.0.1:9")
LaminarKey.build_encrypted(project, "a-key-for-tests", "full", "test").save()
put(project, {"score": 1})
restore_guard.check_for_restore()
"""
CHECK_FOR_RESTORE = "from reviewapp.delivery import restore_guard; restore_guard.check_for_restore()"
COUNT_STATE = """
    SELECT count(*), 0 AS position FROM reviewapp_patch
    UNION ALL SELECT count(*), 1 FROM reviewapp_breaker WHERE restored_at IS NOT NULL ORDER BY position
"""
DELETE_PATCHES = "from reviewapp.delivery.models import Patch; Patch.objects.all().delete()"
MIGRATE_LATER = """
from django.db.migrations.recorder import MigrationRecorder
MigrationRecorder.Migration.objects.create(app="reviewapp", name="9999_later")
"""
SEEDED = f"backup_seeded_{os.getpid()}"
DATABASES_LIKE = "SELECT datname FROM pg_database WHERE datname LIKE"


@dataclass(frozen=True, slots=True)
class Installation:
    """A database and a data folder."""

    folder: Path
    url: str
    path: str

    def run(self, *arguments: str, prepare: Callable[[], None] | None = None, **environment: str) -> str:
        """Run a command of manage.py. Returns its output. Raises AssertionError with the error's text."""
        variables = {"DATA_DIR": str(self.folder), "DATABASE_URL": self.url, "PATH": self.path, "LOG_LEVEL": "ERROR"}
        process = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=os.environ | variables | environment,
            capture_output=True, text=True, check=False, preexec_fn=prepare,
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        return process.stdout

    def start_worker(self) -> None:
        """Do what a worker does before its first push."""
        self.run("shell", "--no-imports", "-c", CHECK_FOR_RESTORE)

    def state(self) -> tuple[int, ...]:
        """Return the number of patches, and of projects whose delivery is paused."""
        if self.url.startswith("postgres"):
            with psycopg.connect(self.url) as session:
                return tuple(row[0] for row in session.execute(COUNT_STATE).fetchall())
        with contextlib.closing(self.connect()) as database:
            return tuple(row[0] for row in database.execute(COUNT_STATE).fetchall())

    def is_empty(self) -> bool:
        if self.url.startswith("postgres"):
            with psycopg.connect(self.url) as session:
                return session.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchone() is None
        return not self.file.exists()

    @property
    def file(self) -> Path:
        """The database file of SQLite."""
        return self.folder / "reviewapp.sqlite3"

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, isolation_level=None)


class Install(Protocol):
    """Makes an installation: empty, or with the database of `seeded`."""

    def __call__(self, name: str, *, is_seeded: bool = False) -> Installation: ...


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A database with a waiting patch, made once; the others are copies of it."""
    server = request.config.stash.get(POSTGRES_SERVER, None)
    path = os.pathsep.join([*([str(server.binaries)] if server else []), os.environ["PATH"]])
    folder = tmp_path_factory.mktemp("seeded")
    is_postgres = "DATABASE_URL" in os.environ
    if is_postgres:
        execute_on_server(f'CREATE DATABASE "{SEEDED}"')
    installation = Installation(folder, make_url(SEEDED) if is_postgres else make_sqlite_url(folder), path)
    installation.run("migrate", "-v0")
    installation.run("shell", "--no-imports", "-c", SEED)
    yield installation
    if is_postgres:
        execute_on_server(f'DROP DATABASE "{SEEDED}" WITH (FORCE)')


@pytest.fixture(scope="session")
def seeded_backup(seeded: Installation) -> Path:
    file = seeded.folder / "backup"
    assert "and checked them" in seeded.run("backup", str(file))
    return file


@pytest.fixture
def file(seeded_backup: Path, tmp_path: Path) -> Path:
    """A backup of `seeded`."""
    return Path(shutil.copy(seeded_backup, tmp_path / "backup"))


@pytest.fixture
def install(tmp_path: Path, seeded: Installation) -> Iterator[Install]:
    """Make installations, on SQLite or on PostgreSQL."""
    prefix = f"backup_{secrets.token_hex(4)}"

    def make(name: str, *, is_seeded: bool = False) -> Installation:
        folder = tmp_path / name
        folder.mkdir()
        if "DATABASE_URL" not in os.environ:
            if is_seeded:
                shutil.copy(seeded.file, folder)
            return Installation(folder, make_sqlite_url(folder), seeded.path)
        template = f'TEMPLATE "{SEEDED}"' if is_seeded else ""
        execute_on_server(f'CREATE DATABASE "{prefix}_{name}" {template}')
        return Installation(folder, make_url(f"{prefix}_{name}"), seeded.path)

    yield make
    if "DATABASE_URL" in os.environ:
        for (database,) in execute_on_server(f"{DATABASES_LIKE} '{prefix}%'"):
            execute_on_server(f'DROP DATABASE "{database}" WITH (FORCE)')


def make_url(database: str) -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}").geturl()


def make_sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'reviewapp.sqlite3'}"


def execute_on_server(statement: str) -> list[tuple[str]]:
    with psycopg.connect(make_url("postgres"), autocommit=True) as session:
        cursor = session.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


# The fixture that says which database a test needs; the tests use none but their own.
on_both = pytest.mark.usefixtures("db")


@on_both
def test_it_restores_on_a_fresh_machine_with_delivery_paused(install: Install, file: Path) -> None:
    fresh = install("fresh")
    assert "Delivery is paused for 1 project." in fresh.run("restore", str(file))
    assert fresh.state() == (1, 1)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
@on_both
def test_it_keeps_the_database_that_it_replaces(install: Install, file: Path) -> None:
    first = install("first", is_seeded=True)
    first.run("shell", "--no-imports", "-c", DELETE_PATCHES)
    with pytest.raises(AssertionError, match="With --replace, it is kept"):
        first.run("restore", str(file))
    assert "The database that was here is now" in first.run("restore", str(file), "--replace")
    assert first.state() == (1, 1)


@pytest.mark.slow
@on_both
def test_it_says_that_the_master_key_is_another(install: Install, file: Path) -> None:
    output = install("fresh").run("restore", str(file), KEY_ENCRYPTION_KEYS="another")
    assert "1 Laminar key cannot be decrypted with the master key of this machine." in output


@pytest.mark.slow
@on_both
def test_it_refuses_to_overwrite_a_backup(install: Install, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("the backup of yesterday")
    with pytest.raises(AssertionError, match="backup exists"):
        install("first", is_seeded=True).run("backup", str(file))
    assert file.read_text() == "the backup of yesterday"


@pytest.mark.slow
@on_both
@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_it_refuses_a_damaged_backup(install: Install, file: Path, damage: str) -> None:
    fresh = install("fresh")
    data = file.read_bytes()
    middle = len(data) // 2
    changed = data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 20_000]) + data[middle + 20_000 :]
    file.write_bytes({"cut": data[:middle], "changed": changed, "empty": b""}[damage])
    with pytest.raises(AssertionError, match="CommandError"):
        fresh.run("restore", str(file))
    assert fresh.is_empty()


@pytest.mark.slow
@on_both
def test_it_leaves_nothing_behind_when_the_disk_is_full(install: Install, tmp_path: Path) -> None:
    first, folder = install("first", is_seeded=True), tmp_path / "backups"
    folder.mkdir()
    limit = 20_000
    with pytest.raises(AssertionError, match=r"[Tt]he database is as it was"):
        first.run(
            "backup", str(folder / "backup"),
            prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip
    assert list(folder.iterdir()) == []
    assert first.state() == (1, 0)


@pytest.mark.slow
@on_both
def test_it_refuses_a_backup_of_a_newer_release(install: Install, tmp_path: Path) -> None:
    file, first = tmp_path / "backup", install("first", is_seeded=True)
    first.run("shell", "--no-imports", "-c", MIGRATE_LATER)
    first.run("backup", str(file))
    with pytest.raises(AssertionError, match="newer release: this one does not know the migration 9999_later"):
        install("fresh").run("restore", str(file))


@pytest.mark.slow
@on_both
def test_it_refuses_to_restore_while_the_database_is_open(install: Install, file: Path) -> None:
    first = install("first", is_seeded=True)
    with contextlib.ExitStack() as stack:
        if connection.vendor == "sqlite":
            reader = stack.enter_context(contextlib.closing(first.connect()))
            reader.execute("SELECT * FROM reviewapp_patch").fetchall()
        else:
            stack.enter_context(psycopg.connect(first.url))
        with pytest.raises(AssertionError, match="Stop the web app, the workers and all"):
            first.run("restore", str(file), "--replace")
    first.run("restore", str(file), "--replace")


@pytest.mark.slow
@pytest.mark.postgres
@on_both
def test_it_pauses_delivery_of_a_copy_that_pg_restore_made(install: Install, file: Path) -> None:
    copy = install("copy")
    subprocess.run(
        ["pg_restore", "--no-owner", f"--dbname={copy.url}", str(file)], check=True,
        env=os.environ | {"PATH": copy.path},
    )  # fmt: skip
    copy.start_worker()
    assert copy.state() == (1, 1)


@pytest.mark.slow
@pytest.mark.postgres
@on_both
def test_it_says_that_the_programs_are_missing(install: Install, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="pg_dump is not installed"):
        install("first").run("backup", str(tmp_path / "backup"), PATH="/nonexistent")


@pytest.mark.slow
def test_it_pauses_delivery_of_a_copy_that_cp_made(install: Install, file: Path) -> None:
    fresh = install("fresh")
    shutil.copy(file, fresh.file)
    fresh.start_worker()
    assert fresh.state() == (1, 1)


@pytest.mark.slow
def test_it_copies_one_state_while_others_write(install: Install, tmp_path: Path) -> None:
    first, file, stop = install("first", is_seeded=True), tmp_path / "backup", threading.Event()
    with contextlib.closing(first.connect()) as database:
        database.execute("CREATE TABLE filler (a INTEGER, b BLOB)")
        database.execute(
            "INSERT INTO filler WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)"
            " SELECT 0, zeroblob(4000) FROM n"
        )

    def write() -> None:
        with contextlib.closing(first.connect()) as database:
            while not stop.is_set():
                # A row changes at the start of the file and one at its end, together.
                database.execute("UPDATE filler SET a = a + 1 WHERE rowid IN (1, 8000)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        first.run("backup", str(file))
    finally:
        stop.set()
        writer.join()
    with contextlib.closing(sqlite3.connect(file)) as copy:
        first_row, last_row = copy.execute("SELECT a FROM filler WHERE rowid IN (1, 8000)").fetchall()
    assert first_row == last_row != (0,)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_it_refuses_to_restore_beside_the_file_of_another_database(install: Install, file: Path, suffix: str) -> None:
    fresh = install("fresh")
    stray = fresh.file.with_name(fresh.file.name + suffix)
    stray.write_bytes(b"of another database")
    with pytest.raises(AssertionError, match=f"{stray.name} in .* belong to another database"):
        fresh.run("restore", str(file))
    assert (stray.read_bytes(), fresh.file.exists()) == (b"of another database", False)


@pytest.mark.slow
def test_it_refuses_to_restore_while_an_idle_process_runs(install: Install, file: Path) -> None:
    first = install("first", is_seeded=True)
    code = "import reviewapp.wsgi; print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"DATA_DIR": str(first.folder)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(AssertionError, match="The web app or a worker is running"):
            first.run("restore", str(file), "--replace")
        process.communicate("\n")
    first.run("restore", str(file), "--replace")


@pytest.mark.slow
def test_it_replaces_a_damaged_database(install: Install, file: Path) -> None:
    first = install("first", is_seeded=True)
    first.file.write_bytes(b"damaged" * 1000)
    first.run("restore", str(file), "--replace")
    assert first.state() == (1, 1)
    (aside,) = first.folder.glob("*.before-restore-*")
    assert aside.read_bytes() == b"damaged" * 1000


@pytest.mark.slow
def test_it_says_that_the_database_is_damaged(install: Install, tmp_path: Path) -> None:
    first = install("first", is_seeded=True)
    data = first.file.read_bytes()
    first.file.write_bytes(data[:100_000] + b"\xff" * 100_000 + data[200_000:])
    with pytest.raises(AssertionError, match=r"sqlite3 is damaged [(].*[)]. No backup was written"):
        first.run("backup", str(tmp_path / "backup"))
    assert not (tmp_path / "backup").exists()


@pytest.mark.slow
def test_it_backs_up_and_restores_the_trace_store(install: Install, tmp_path: Path) -> None:
    first, fresh, file = install("first"), install("fresh"), tmp_path / "backup"
    with contextlib.closing(sqlite3.connect(first.folder / "tracestore.sqlite3")) as store, store:
        store.execute("CREATE TABLE span (name TEXT)")
        store.execute("INSERT INTO span VALUES ('agent')")
    first.run("backup", str(file), "--tracestore")
    with pytest.raises(AssertionError, match="is not a backup of the review app"):
        fresh.run("restore", str(file))
    fresh.run("restore", str(file), "--tracestore")
    with contextlib.closing(sqlite3.connect(fresh.folder / "tracestore.sqlite3")) as store:
        assert store.execute("SELECT name FROM span").fetchall() == [("agent",)]


@pytest.mark.slow
def test_it_waits_to_start_until_a_restore_has_ended(install: Install) -> None:
    first = install("first", is_seeded=True)
    handle = file_lock.acquire(first.file.with_name("reviewapp.sqlite3.use-lock"))
    assert handle is not None
    with subprocess.Popen(
        [sys.executable, "-c", "import reviewapp.wsgi; print('ready')"], cwd=ROOT,
        env=os.environ | {"DATA_DIR": str(first.folder)}, text=True, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        file_lock.release(handle)
        assert process.communicate()[0] == "ready\n"


@on_both
def test_it_restores_an_encrypted_backup(install: Install, seeded: Installation, tmp_path: Path) -> None:
    file, passphrase = tmp_path / "encrypted", "seven quiet lamps at noon"
    seeded.run("backup", "--encrypt", str(file), BACKUP_PASSPHRASE=passphrase)
    assert b"SQLite" not in file.read_bytes()
    assert b"PGDMP" not in file.read_bytes()
    assert "is whole" in seeded.run("backup", "--check", str(file), BACKUP_PASSPHRASE=passphrase)
    fresh = install("fresh")
    with pytest.raises(AssertionError, match="is encrypted"):
        fresh.run("restore", str(file))
    fresh.run("restore", str(file), BACKUP_PASSPHRASE=passphrase)
    assert fresh.state() == (1, 1)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
@on_both
def test_it_checks_a_damaged_backup(seeded: Installation, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5_000])
    with pytest.raises(AssertionError, match="CommandError"):
        seeded.run("backup", "--check", str(file))
