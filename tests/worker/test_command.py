"""`manage.py deliver` as a separate process: stopped, killed, frozen, and run once."""

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
    """Blocks the first push until the gate is opened; later pushes pass."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, path: str, body: dict[str, Any]) -> None:
        if path.endswith("/metadata") and not self.reached.is_set():
            self.reached.set()
            self.opened.wait(120)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def laminar(gate: Gate) -> Iterator[FakeLaminar]:
    with fake_laminar(ScriptedStore(gate)) as laminar:
        yield laminar
        gate.opened.set()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start workers on this test's database. They are killed at the end of the test."""
    processes: list[subprocess.Popen[str]] = []

    def start_worker(*arguments: str, url: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", "deliver", *arguments]
        allowed = urlsplit(url).netloc
        environment = os.environ | {
            "DATA_DIR": str(tmp_path), "DATABASE_URL": _database_url(), "ALLOWED_LAMINAR_HOSTS": allowed,
        }  # fmt: skip
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield start_worker
    for process in processes:
        process.kill()
        process.communicate()


def test_it_prints_states_as_json_when_run_once(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID, start: Start
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    put(connected_project, {"score": 1}, trace_id)
    output, errors = start("--once", "--json", url=tracestore.url).communicate(timeout=120)
    assert json.loads(output) == {**dict.fromkeys(State.values, 0), "confirmed": 1}, errors
    assert tracestore.full_key not in output + errors


def test_it_prints_states_when_run_once(transactional_db: None, start: Start) -> None:
    output, _ = start("--once", url="http://127.0.0.1:9").communicate(timeout=120)
    assert output == "0 waiting, 0 sending, 0 accepted, 0 confirmed, 0 parked, 0 superseded.\n"


def test_it_finishes_the_push_under_way_when_stopped(laminar: FakeLaminar, gate: Gate, start: Start) -> None:
    project = create_project(laminar)
    first = put(project, {"score": 1})
    process = start(url=laminar.url)
    assert gate.reached.wait(60)
    second = put(project, {"score": 1}, UUID(int=9))
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    pushes_after_stop = len(laminar.pushes)
    gate.opened.set()
    assert process.wait(60) == 0
    assert patch_states(first) == [State.ACCEPTED]
    assert (patch_states(second) == [State.WAITING]) == (pushes_after_stop == 1)
    assert not Patch.objects.filter(state=State.SENDING).exists()


def test_it_does_not_wait_forever_when_stopped(laminar: FakeLaminar, gate: Gate) -> None:
    patch = put(create_project(laminar), {"score": 1})
    run_workers(until=gate.reached.is_set, make_worker=partial(Worker, finish_timeout=0.1))
    assert patch_states(patch) == [State.SENDING]
    gate.opened.set()
    _expire_leases()
    run_workers(until=all_patches_are(State.CONFIRMED))


def test_it_sends_the_patches_of_a_killed_worker(laminar: FakeLaminar, gate: Gate, start: Start) -> None:
    patch = put(create_project(laminar), {"score": 1})
    process = start(url=laminar.url)
    assert gate.reached.wait(60)
    process.kill()
    process.wait(60)
    assert patch_states(patch) == [State.SENDING]
    _expire_leases()
    run_workers(until=all_patches_are(State.CONFIRMED))
    assert len(laminar.pushes) == 2


def test_it_changes_nothing_when_it_was_frozen_past_its_lease(laminar: FakeLaminar, gate: Gate, start: Start) -> None:
    patch = put(create_project(laminar), {"score": 1})
    process = start(url=laminar.url)
    assert gate.reached.wait(60)
    _freeze(process)
    _expire_leases()
    run_workers(until=all_patches_are(State.CONFIRMED))
    row = _row(patch)
    gate.opened.set()
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert _row(patch) == row
    # The frozen worker's own result is not recorded: its attempt was reckoned from its lease.
    assert list(Attempt.objects.filter(act="push").order_by("pk").values_list("status", flat=True)) == [None, 200]


def _freeze(process: "subprocess.Popen[str]") -> None:
    """Stop a process between two transactions: stopped inside one, it would keep its database lock."""
    for _ in range(20):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        if _is_unlocked():
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
    pytest.fail("The worker had the database lock in each of 20 checks.")


def _is_unlocked() -> bool:
    """Whether no process has SQLite's write lock."""
    if connection.vendor != "sqlite":
        return True
    with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0.2)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


def _expire_leases() -> None:
    """Make all leases expire now."""
    Patch.objects.filter(state=State.SENDING).update(leased_until=clock.now() - timedelta(seconds=1))


def _row(patch: Patch) -> dict[str, Any]:
    return dict(Patch.objects.filter(pk=patch.pk).values().get())


def _database_url() -> str:
    """The URL of the test database, for another process."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    url = urlsplit(os.environ["DATABASE_URL"])
    return url._replace(path=f"/{name}").geturl()
