"""A database that stops answering without closing its connections, is frozen or locked: every wait has an end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from benchmarks.browser import Response
from benchmarks.environment import free_port, wait_for
from reviewapp.delivery.models import Heartbeat
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from tests.delivery.patches import put
from tests.faults.conftest import UNREACHABLE_URL
from tests.faults.database_state import create_test_data, signed_in_browser
from tests.faults.hanging_proxy import HangingProxy, run_proxy
from tests.faults.processes import process_environment, wait_until
from tests.faults.reviewers import make_form_data
from tests.faults.test_database import lock_database
from tests.tracestore_server import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.django_db(transaction=True)]

LIMITS = {
    "REQUEST_SECONDS": "6", "DATABASE_CONNECT_SECONDS": "2", "DATABASE_STATEMENT_SECONDS": "3",
    "DATABASE_LOCK_SECONDS": "3", "WEB_CONCURRENCY": "1",
}  # fmt: skip
# More than the web app has threads.
REVIEWERS = 8
READY = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class App:
    """A running web app, and a signed-in browser for each reviewer."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
        self.process, self.port, self.log_path = process, port, log_path
        self.url = url = f"http://127.0.0.1:{port}"
        self.items = list(QueueItem.objects.order_by("pk").values_list("pk", flat=True))
        self.browsers = [signed_in_browser(f"reviewer-{n}", url) for n in range(REVIEWERS)]

    def save(self, number: int) -> Response:
        fields = make_form_data("0", f"typed text {number}", uuid4())
        return self.browsers[number].post(f"/p/support/items/{self.items[number]}/", fields)

    def save_all(self) -> list[Response]:
        with ThreadPoolExecutor(REVIEWERS) as threads:
            return list(threads.map(self.save, range(REVIEWERS)))

    def probe(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"{self.url}{path}", timeout=60) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()


@contextlib.contextmanager
def run_process(arguments: list[str], environment: dict[str, str], log_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log_path.open("wb") as log,
        subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stderr=log, stdout=log) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def run_app(folder: Path, database_url: str = "", **limits: str) -> Iterator[App]:
    create_test_data(UNREACHABLE_URL, items=REVIEWERS, people=REVIEWERS)
    environment = process_environment(folder) | LIMITS | limits
    environment["DATABASE_URL"] = database_url or environment["DATABASE_URL"]
    port, log_path = free_port(), folder / "web.log"
    command = ["-m", "gunicorn", "reviewapp.wsgi", f"--bind=127.0.0.1:{port}"]
    with run_process(command, environment, log_path) as process:
        wait_for(f"http://127.0.0.1:{port}/ready")
        try:
            yield App(process, port, log_path)
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def proxy() -> Iterator[HangingProxy]:
    with run_proxy() as proxy:
        yield proxy


@pytest.mark.postgres
def test_it_answers_every_request_while_the_database_hangs(tmp_path: Path, proxy: HangingProxy) -> None:
    with run_app(tmp_path, proxy.database_url) as app:
        assert app.probe("/ready") == (200, "OK")
        proxy.is_open.clear()
        responses: list[Response] = []
        saving = threading.Thread(target=lambda: responses.extend(app.save_all()))
        saving.start()
        for _ in range(3):
            assert app.probe("/health") == (200, "OK")
            assert app.probe("/ready") == (503, "The database does not answer.")
        # The probes did not wait for the saves, which hold all threads.
        assert saving.is_alive()
        saving.join()
        assert [response.status for response in responses] == [503] * REVIEWERS
        assert all(f"typed text {number}" in response.body for number, response in enumerate(responses))
        lines = app.log_path.read_text().splitlines()
        assert len([line for line in lines if "The database does not answer" in line]) == 1
        assert len(lines) < 10
        proxy.is_open.set()
        wait_until(lambda: app.probe("/ready") == (200, "OK"))
        assert [response.status for response in app.save_all()] == [302] * REVIEWERS
    assert Review.objects.count() == REVIEWERS


@pytest.mark.postgres
def test_it_opens_new_connections_beside_frozen_ones(tmp_path: Path) -> None:
    with run_app(tmp_path) as app:
        assert [response.status for response in app.save_all()] == [302] * REVIEWERS
        with psycopg.connect(process_environment(Path())["DATABASE_URL"]) as other:
            own = connection.connection.info.backend_pid if connection.connection else 0
            pids = [pid for (pid,) in other.execute(BACKENDS).fetchall() if pid != own]
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert app.browsers[0].get(f"/p/support/items/{app.items[0]}/").status == 200
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def test_it_answers_while_another_program_keeps_a_lock(tmp_path: Path) -> None:
    with run_app(tmp_path) as app:
        with lock_database():
            response = app.save(0)
            assert response.status == 503
            assert "typed text 0" in response.body
            assert app.probe("/ready") == (200, "OK")
        assert app.save(0).status == 302


def receive_response(client: socket.socket) -> bytes:
    """Read a whole response, which is sent in chunks."""
    received = b""
    while not received.endswith(b"0\r\n\r\n") and (data := client.recv(65536)):
        received += data
    return received


def test_it_is_not_ready_as_soon_as_it_is_asked_to_stop(tmp_path: Path) -> None:
    patience = dict.fromkeys(["REQUEST_SECONDS", "DATABASE_LOCK_SECONDS", "DATABASE_STATEMENT_SECONDS"], "120")
    with (
        run_app(tmp_path, **patience) as app,
        socket.create_connection(("127.0.0.1", app.port), timeout=60) as client,
    ):

        def is_ready() -> bool:
            client.sendall(READY)
            response = receive_response(client)
            assert response.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 Service Unavailable\r\n"))
            return response.startswith(b"HTTP/1.1 200")

        assert is_ready()
        responses: list[Response] = []
        with lock_database():
            saving = threading.Thread(target=lambda: responses.append(app.save(0)))
            saving.start()
            # Until the request has arrived, which nothing outside shows.
            time.sleep(2)
            app.process.terminate()
            wait_until(lambda: not is_ready())
            assert saving.is_alive()
        saving.join()
        assert [response.status for response in responses] == [302]


@pytest.mark.postgres
def test_a_worker_exits_while_the_database_hangs(tmp_path: Path, proxy: HangingProxy) -> None:
    put(create_test_data(UNREACHABLE_URL, items=1, people=1), {"review_rev": 1}, uuid4())
    environment = process_environment(tmp_path) | LIMITS | {"DATABASE_URL": proxy.database_url}
    with run_process(["manage.py", "deliver"], environment, tmp_path / "worker.log") as worker:
        wait_until(Heartbeat.objects.exists)
        proxy.is_open.clear()
        wait_until(lambda: "The database does not answer" in (tmp_path / "worker.log").read_text())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    # The first line, the count of the others, and perhaps that it exits without the database.
    assert 1 < len((tmp_path / "worker.log").read_text().splitlines()) <= 3
