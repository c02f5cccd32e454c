"""`manage.py deliver` as a process of its own: stopped, killed, frozen, and run once."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.db import connection

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Attempt, Patch, State
from reviewapp.lib import clock
from reviewapp.worker.loop import Worker
from tests.delivery.patches import put
from tests.tracestore.store_calls import send_span
from tests.tracestore_server import ROOT, RunningStore
from tests.worker.running import FakeLaminar, all_patches_are, fake_laminar, patch_states, run_workers
from tests.worker.test_faults import ScriptedStore, create_project

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., "subprocess.Popen[str]"]


class Gate:
    """Lets the first push wait until it is opened; all later ones pass."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, path: str, body: dict[str, Any]) -> None:
        if path.endswith("/metadata") and not self.reached.is_set():
            self.reached.set()
            self.opened.wait(30)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def far(gate: Gate) -> Iterator[FakeLaminar]:
    with fake_laminar(ScriptedStore(gate)) as far:
        yield far
        gate.opened.set()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a worker on this test's database; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str, far: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", "deliver", *arguments]
        allowed = urlsplit(far).netloc
        environment = os.environ | {
            "DATA_DIR": str(tmp_path), "DATABASE_URL": _database(), "ALLOWED_LAMINAR_HOSTS": allowed,
        }  # fmt: skip
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def test_once_tells_how_many_are_in_each_state(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID, start: Start
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    put(connected_project, {"score": 1}, trace_id)
    told, faults = start("--once", "--json", far=tracestore.url).communicate(timeout=30)
    assert json.loads(told) == {**dict.fromkeys(State.values, 0), "confirmed": 1}, faults
    assert tracestore.full_key not in told + faults


def test_once_tells_it_in_words(transactional_db: None, start: Start) -> None:
    told, _ = start("--once", far="http://127.0.0.1:9").communicate(timeout=30)
    assert told == "0 waiting, 0 sending, 0 accepted, 0 confirmed, 0 parked, 0 superseded.\n"


def test_told_to_stop_it_finishes_the_push_under_way_and_begins_no_other(
    far: FakeLaminar, gate: Gate, start: Start
) -> None:
    project = create_project(far)
    first = put(project, {"score": 1})
    process = start(far=far.url)
    assert gate.reached.wait(20)
    second = put(project, {"score": 1}, UUID(int=9))
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    later = len(far.pushes)
    gate.opened.set()
    assert process.wait(10) == 0
    assert patch_states(first) == [State.ACCEPTED]
    assert (patch_states(second) == [State.WAITING]) == (later == 1)
    assert not Patch.objects.filter(state=State.SENDING).exists()


def test_told_to_stop_it_does_not_wait_for_ever(far: FakeLaminar, gate: Gate) -> None:
    patch = put(create_project(far), {"score": 1})
    run_workers(until=gate.reached.is_set, make_worker=partial(Worker, finish=0.1))
    assert patch_states(patch) == [State.SENDING]
    gate.opened.set()
    _let_leases_end()
    run_workers(until=all_patches_are(State.CONFIRMED))


def test_what_a_killed_worker_was_sending_is_sent_by_another(far: FakeLaminar, gate: Gate, start: Start) -> None:
    patch = put(create_project(far), {"score": 1})
    process = start(far=far.url)
    assert gate.reached.wait(20)
    process.kill()
    process.wait(10)
    assert patch_states(patch) == [State.SENDING]
    _let_leases_end()
    run_workers(until=all_patches_are(State.CONFIRMED))
    assert len(far.pushes) == 2


def test_a_worker_that_wakes_late_changes_nothing(far: FakeLaminar, gate: Gate, start: Start) -> None:
    patch = put(create_project(far), {"score": 1})
    process = start(far=far.url)
    assert gate.reached.wait(20)
    _freeze(process)
    _let_leases_end()
    run_workers(until=all_patches_are(State.CONFIRMED))
    before = _row(patch)
    gate.opened.set()
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert _row(patch) == before
    assert Attempt.objects.filter(act="push").count() == 1


def _freeze(process: "subprocess.Popen[str]") -> None:
    """Stop a process between two of its transactions: one stopped within would keep its locks."""
    for _ in range(20):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        if _is_free():
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
    pytest.fail("The worker held the database's lock at each of 20 looks.")


def _is_free() -> bool:
    """Whether nobody holds the lock of SQLite's one writer."""
    if connection.vendor != "sqlite":
        return True
    with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0.2)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


def _let_leases_end() -> None:
    """Twenty seconds pass for the leases."""
    Patch.objects.filter(state=State.SENDING).update(leased_until=clock.now() - timedelta(seconds=1))


def _row(patch: Patch) -> dict[str, Any]:
    return dict(Patch.objects.filter(pk=patch.pk).values().get())


def _database() -> str:
    """The test database, as another process names it."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    url = urlsplit(os.environ["DATABASE_URL"])
    return url._replace(path=f"/{name}").geturl()
