"""A database that is locked or cut off; and PostgreSQL stopped hard under load."""

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
from tests.faults.reviewers import make_reviewers
from tests.faults.verification import verify_run

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

LOCKED = 1.5
# Seconds until what a dead worker held is taken back, at most.
RESCUE = 30
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Another program holds what a save and a worker write to."""
    if connection.vendor == "sqlite":
        with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()
    else:
        with psycopg.connect(_url()) as other:
            other.execute("LOCK TABLE reviewapp_patch IN EXCLUSIVE MODE")
            yield
            other.rollback()


def test_a_save_and_a_push_wait_for_a_lock_and_are_done_then(
    web: Web, fake_laminar: FakeLaminar, workers: Workers
) -> None:
    """Half a minute in production; the web app and the worker wait for 20 seconds at least."""
    project = create_test_data(fake_laminar.url, items=1, people=1)
    put(project, {"review_rev": 1}, uuid4())
    (person,) = make_reviewers(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 1).reviewers
    browser = signed_in_browser(person.name, web.url)
    saving = threading.Thread(target=person.save, args=(browser, person.items[0], 0), daemon=True)
    with locked():
        workers.start()
        saving.start()
        saving.join(LOCKED)
        assert (saving.is_alive(), fake_laminar.get_requests()) == (True, [])
    saving.join(20)
    assert [ack.tries for ack in person.acknowledged] == [1]
    wait_until(lambda: len(fake_laminar.get_requests()) == 2)


@pytest.mark.postgres
def test_sessions_that_are_cut_cost_no_save_and_no_push(web: Web, fake_laminar: FakeLaminar, workers: Workers) -> None:
    project = create_test_data(fake_laminar.url, items=20, people=2)
    crowd = make_reviewers(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    for _ in range(2):
        workers.start()
    crowd.start()
    with psycopg.connect(_url(), autocommit=True) as other:
        for seen in (3, 6, 9, 12):
            crowd.wait_until_saved(seen)
            other.execute(CUT)
    connections.close_all()
    acks = crowd.finish()
    # Of a lease whose commit got no answer no worker knows: another takes it back.
    wait_until(without_waiting(is_settled), RESCUE, every=0.2)
    assert crowd.unexpected == []
    assert verify_run(project, acks, fake_laminar).faults == []


@pytest.mark.postgres
def test_a_postgresql_stopped_hard_loses_no_acknowledged_save(
    web: Web, fake_laminar: FakeLaminar, workers: Workers, request: pytest.FixtureRequest
) -> None:
    server = request.config.stash.get(POSTGRES_SERVER, None)
    if server is None:
        pytest.skip("The tests run on a PostgreSQL of yours, which they do not stop.")
    with connection.cursor() as cursor:
        # The suite's server is told to be fast and forgetful; here a yes has to mean that it is written.
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = on')
    project = create_test_data(fake_laminar.url, items=20, people=2)
    crowd = make_reviewers(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    for _ in range(2):
        workers.start()
    crowd.start()
    for seen in (5, 10):
        crowd.wait_until_saved(seen)
        connections.close_all()
        server.stop()
        server.start_existing()
    acks = crowd.finish()
    # Of a lease whose commit got no answer no worker knows: another takes it back.
    wait_until(without_waiting(is_settled), RESCUE, every=0.2)
    assert crowd.unexpected == []
    assert verify_run(project, acks, fake_laminar).faults == []


def _url() -> str:
    return process_environment(Path())["DATABASE_URL"]
