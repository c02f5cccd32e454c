"""A disk that is really full, and a database that is really read-only: opening, saving, the worker, and recovery."""

import contextlib
import os
import random
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from benchmarks.browser import Browser, Response
from benchmarks.environment import free_port, wait_for
from reviewapp.queues.models import QueueItem
from tests.delivery.patches import put
from tests.environment import POSTGRES_SERVER
from tests.faults.conftest import UNREACHABLE_URL
from tests.faults.database_state import create_test_data, signed_in_browser
from tests.faults.processes import FakeLaminar, process_environment, wait_until
from tests.faults.reviewers import make_form_data
from tests.faults.small_disk import fill, make_read_only, mount_small_disk
from tests.faults.test_hung_database import run_process
from tests.postgres_server import NOBODY

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.django_db(transaction=True)]

SENTENCE = "The database cannot be written: its disk is full, or it is read-only"
# Cannot be compressed, so that a table needs new pages for it.
NOTES = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=15_000))


class App:
    """The review app, one item and its reviewer."""

    def __init__(self, url: str, browser: Browser, item: int) -> None:
        self.url, self.browser, self.item = url, browser, item

    def open(self) -> Response:
        return self.browser.get(f"/p/support/items/{self.item}/")

    def save(self) -> Response:
        return self.browser.post(f"/p/support/items/{self.item}/", make_form_data("0", NOTES, uuid4()))

    def probe(self, path: str = "/ready") -> tuple[int, str]:
        try:
            with urlopen(f"{self.url}{path}", timeout=30) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def assert_unwritable(self) -> None:
        """Nothing can be saved, each answer says so, and what was typed is in the page."""
        assert (self.probe("/health")[0], self.probe()) == (200, (503, f"{SENTENCE}."))
        assert (self.open().status, "cannot save anything" in self.open().body) == (507, True)
        response = self.save()
        assert (response.status, NOTES in response.body) == (507, True)


def prepare(laminar_url: str) -> tuple[str, Browser, int]:
    """Create a waiting patch, an item and its reviewer. Returns the app's address, a browser and the item."""
    put(create_test_data(laminar_url, items=1, people=1), {"review_rev": 1}, uuid4())
    url = f"http://127.0.0.1:{free_port()}"
    return url, signed_in_browser("reviewer-0", url), QueueItem.objects.get().pk


@contextlib.contextmanager
def run_app(url: str, environment: dict[str, str], folder: Path) -> Iterator[None]:
    command = ["-m", "gunicorn", "reviewapp.wsgi", f"--bind={url.removeprefix('http://')}", "--workers=1"]
    with run_process(command, environment, folder / "web.log") as process:
        wait_for(f"{url}/health")
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def run_worker(environment: dict[str, str], folder: Path) -> contextlib.AbstractContextManager[object]:
    return run_process(["manage.py", "deliver"], environment, folder / "worker.log")


def has_logged(folder: Path) -> bool:
    return SENTENCE in (folder / "worker.log").read_text()


def copy_database(disk: Path) -> dict[str, str]:
    """Copy the SQLite database to the disk. Returns the environment of processes that use the copy."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(disk / "reviewapp.sqlite3")])
    with contextlib.closing(sqlite3.connect(disk / "reviewapp.sqlite3")) as copy:
        copy.execute("PRAGMA journal_mode = WAL")
    return process_environment(disk) | {"DATABASE_URL": f"sqlite:///{disk / 'reviewapp.sqlite3'}"}


def empty_write_ahead_log(disk: Path) -> None:
    """Leave no space in it that could be written again."""
    with contextlib.closing(sqlite3.connect(disk / "reviewapp.sqlite3", timeout=30)) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


@pytest.mark.sqlite
def test_it_recovers_from_a_full_disk(tmp_path: Path, fake_laminar: FakeLaminar) -> None:
    url, browser, item = prepare(fake_laminar.url)
    with mount_small_disk(tmp_path / "disk") as disk:
        environment, app = copy_database(disk), App(url, browser, item)
        with run_app(url, environment, tmp_path):
            assert app.probe() == (200, "OK")
            empty_write_ahead_log(disk)
            with fill(disk):
                app.assert_unwritable()
                with run_worker(environment, tmp_path):
                    wait_until(lambda: has_logged(tmp_path), 60)
                assert fake_laminar.get_pushes() == []
            wait_until(lambda: app.probe() == (200, "OK"), 60)
            assert app.save().status == 302
            with run_worker(environment, tmp_path):
                wait_until(lambda: len(fake_laminar.get_pushes()) == 2, 60)


@pytest.mark.sqlite
def test_it_recovers_from_a_read_only_file_system(tmp_path: Path, fake_laminar: FakeLaminar) -> None:
    url, browser, item = prepare(fake_laminar.url)
    with mount_small_disk(tmp_path / "disk") as disk:
        environment, app = copy_database(disk), App(url, browser, item)
        with make_read_only(disk), run_app(url, environment, tmp_path):
            app.assert_unwritable()
            with run_worker(environment, tmp_path):
                wait_until(lambda: has_logged(tmp_path), 60)
        # Its connection was to the app before.
        app.browser.connection = None
        with run_app(url, environment, tmp_path), run_worker(environment, tmp_path):
            wait_until(lambda: app.probe() == (200, "OK"), 60)
            assert app.save().status == 302
            wait_until(lambda: len(fake_laminar.get_pushes()) == 2, 60)


@pytest.fixture
def role() -> Iterator[str]:
    """A role that may read all tables and write none."""
    name = f"reader_{secrets.token_hex(4)}"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE ROLE "{name}" LOGIN')
        cursor.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{name}"')
        yield name
        cursor.execute(f'DROP OWNED BY "{name}"')
        cursor.execute(f'DROP ROLE "{name}"')


@pytest.mark.postgres
def test_it_recovers_from_a_role_that_may_not_write(tmp_path: Path, fake_laminar: FakeLaminar, role: str) -> None:
    url, browser, item = prepare(fake_laminar.url)
    environment, app = process_environment(tmp_path), App(url, browser, item)
    address = urlsplit(environment["DATABASE_URL"])
    environment["DATABASE_URL"] = address._replace(netloc=f"{role}@{address.netloc.rpartition('@')[2]}").geturl()
    with run_app(url, environment, tmp_path), run_worker(environment, tmp_path):
        app.assert_unwritable()
        wait_until(lambda: has_logged(tmp_path), 60)
        with connection.cursor() as cursor:
            cursor.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"')
            cursor.execute(f'GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO "{role}"')
        wait_until(lambda: app.probe() == (200, "OK"), 60)
        assert app.save().status == 302
        wait_until(lambda: len(fake_laminar.get_pushes()) == 2, 60)


@pytest.mark.postgres
def test_it_recovers_from_a_full_disk_of_postgresql(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if request.config.stash.get(POSTGRES_SERVER, None) is None:
        pytest.skip("TEST_DATABASE_URL is set, and this test fills a disk of its server.")
    url, browser, item = prepare(UNREACHABLE_URL)
    app, space = App(url, browser, item), f"small_{secrets.token_hex(4)}"
    # Where the server's user can reach it.
    folder = request.config.stash[POSTGRES_SERVER].folder / space
    with (
        mount_small_disk(folder) as disk,
        psycopg.connect(process_environment(tmp_path)["DATABASE_URL"], autocommit=True) as session,
    ):
        if os.geteuid() == 0:
            os.chown(disk, NOBODY.pw_uid, NOBODY.pw_gid)
        session.execute(f"CREATE TABLESPACE {space} LOCATION '{disk}'")
        session.execute(f"ALTER TABLE reviewapp_review SET TABLESPACE {space}")
        try:
            with run_app(url, process_environment(tmp_path), tmp_path):
                with fill(disk):
                    response = app.save()
                    assert (response.status, NOTES in response.body) == (507, True)
                    assert app.open().status == 200
                assert app.save().status == 302
        finally:
            session.execute("ALTER TABLE reviewapp_review SET TABLESPACE pg_default")
            session.execute(f"DROP TABLESPACE {space}")
