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
from tests.environment import SERVER
from tests.faults.database_state import browser_of, furnish, hurried, is_settled
from tests.faults.processes import Sink, Web, Workers, environment, until
from tests.faults.reviewers import people
from tests.faults.verification import judge

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


def test_a_save_and_a_push_wait_for_a_lock_and_are_done_then(web: Web, sink: Sink, workers: Workers) -> None:
    """Half a minute in production; the web app and the worker wait for 20 seconds at least."""
    project = furnish(sink.url, items=1, people=1)
    put(project, {"review_rev": 1}, uuid4())
    (person,) = people(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 1).each
    browser = browser_of(person.name, web.url)
    saving = threading.Thread(target=person.save, args=(browser, person.items[0], 0), daemon=True)
    with locked():
        workers.start()
        saving.start()
        saving.join(LOCKED)
        assert (saving.is_alive(), sink.asked()) == (True, [])
    saving.join(20)
    assert [ack.tries for ack in person.acks] == [1]
    until(lambda: len(sink.asked()) == 2)


@pytest.mark.postgres
def test_sessions_that_are_cut_cost_no_save_and_no_push(web: Web, sink: Sink, workers: Workers) -> None:
    project = furnish(sink.url, items=20, people=2)
    crowd = people(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    for _ in range(2):
        workers.start()
    crowd.start()
    with psycopg.connect(_url(), autocommit=True) as other:
        for seen in (3, 6, 9, 12):
            crowd.until_saved(seen)
            other.execute(CUT)
    connections.close_all()
    acks = crowd.finish()
    # Of a lease whose commit got no answer no worker knows: another takes it back.
    until(hurried(is_settled), RESCUE, every=0.2)
    assert crowd.odd == []
    assert judge(project, acks, sink).faults == []


@pytest.mark.postgres
def test_a_postgresql_stopped_hard_loses_no_acknowledged_save(
    web: Web, sink: Sink, workers: Workers, request: pytest.FixtureRequest
) -> None:
    server = request.config.stash.get(SERVER, None)
    if server is None:
        pytest.skip("The tests run on a PostgreSQL of yours, which they do not stop.")
    with connection.cursor() as cursor:
        # The suite's server is told to be fast and forgetful; here a yes has to mean that it is written.
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = on')
    project = furnish(sink.url, items=20, people=2)
    crowd = people(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    for _ in range(2):
        workers.start()
    crowd.start()
    for seen in (5, 10):
        crowd.until_saved(seen)
        connections.close_all()
        server.stop()
        server.run()
    acks = crowd.finish()
    # Of a lease whose commit got no answer no worker knows: another takes it back.
    until(hurried(is_settled), RESCUE, every=0.2)
    assert crowd.odd == []
    assert judge(project, acks, sink).faults == []


def _url() -> str:
    return environment(Path())["DATABASE_URL"]
