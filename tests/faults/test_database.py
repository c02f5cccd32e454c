"""A database that is locked, that terminates its connections, or (PostgreSQL) that crashes under load."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, connections

from reviewapp.queues.models import QueueItem
from tests.delivery.patches import put
from tests.environment import POSTGRES_SERVER
from tests.faults.database_state import create_test_data, is_settled, signed_in_browser, without_waiting
from tests.faults.processes import FakeLaminar, Web, Workers, process_environment, wait_until
from tests.faults.reviewers import make_reviewer_group
from tests.faults.verification import verify_run

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

LOCK_SECONDS = 1.5
# Far above the 30 seconds after which the leases of a dead worker are released.
RESCUE_SECONDS = 120
TERMINATE_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@contextlib.contextmanager
def lock_database() -> Iterator[None]:
    """Hold the lock that a save and a worker need, as another program would."""
    if connection.vendor == "sqlite":
        with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()
    else:
        with psycopg.connect(_database_url()) as other:
            other.execute("LOCK TABLE reviewapp_patch IN EXCLUSIVE MODE")
            yield
            other.rollback()


def test_it_saves_and_pushes_after_a_lock_is_released(web: Web, fake_laminar: FakeLaminar, workers: Workers) -> None:
    """Web app and worker wait at least 20 seconds for a lock, half a minute in production."""
    project = create_test_data(fake_laminar.url, items=1, people=1)
    put(project, {"review_rev": 1}, uuid4())
    (reviewer,) = make_reviewer_group(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 1).reviewers
    browser = signed_in_browser(reviewer.name, web.url)
    save_thread = threading.Thread(target=reviewer.save, args=(browser, reviewer.items[0], 0), daemon=True)
    with lock_database():
        workers.start()
        save_thread.start()
        save_thread.join(LOCK_SECONDS)
        assert (save_thread.is_alive(), fake_laminar.get_pushes()) == (True, [])
    save_thread.join(60)
    assert [save.tries for save in reviewer.acknowledged] == [1]
    wait_until(lambda: len(fake_laminar.get_pushes()) == 2)


@pytest.mark.postgres
def test_it_loses_nothing_when_connections_are_terminated(
    web: Web, fake_laminar: FakeLaminar, workers: Workers
) -> None:
    project = create_test_data(fake_laminar.url, items=20, people=2)
    reviewers = make_reviewer_group(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    for _ in range(2):
        workers.start()
    reviewers.start()
    with psycopg.connect(_database_url(), autocommit=True) as other:
        for count in (3, 6, 9, 12):
            reviewers.wait_until_saved(count)
            other.execute(TERMINATE_CONNECTIONS)
    connections.close_all()
    saves = reviewers.finish()
    # A lease whose commit got no response belongs to no worker until it expires and another takes it.
    wait_until(without_waiting(is_settled), RESCUE_SECONDS, every=0.2)
    assert reviewers.unexpected == []
    assert verify_run(project, saves, fake_laminar).errors == []


@pytest.mark.postgres
def test_it_loses_no_acknowledged_save_when_postgresql_crashes(
    web: Web, fake_laminar: FakeLaminar, workers: Workers, request: pytest.FixtureRequest
) -> None:
    server = request.config.stash.get(POSTGRES_SERVER, None)
    if server is None:
        pytest.skip("TEST_DATABASE_URL is set, and this test stops its server.")
    with connection.cursor() as cursor:
        # An acknowledged save must be on disk: by default, the test server trades durability for speed.
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = on')
    project = create_test_data(fake_laminar.url, items=20, people=2)
    reviewers = make_reviewer_group(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    for _ in range(2):
        workers.start()
    reviewers.start()
    for count in (5, 10):
        reviewers.wait_until_saved(count)
        connections.close_all()
        server.stop()
        server.start_existing()
    saves = reviewers.finish()
    # A lease whose commit got no response belongs to no worker until it expires and another takes it.
    wait_until(without_waiting(is_settled), RESCUE_SECONDS, every=0.2)
    assert reviewers.unexpected == []
    assert verify_run(project, saves, fake_laminar).errors == []


def _database_url() -> str:
    return process_environment(Path())["DATABASE_URL"]
