"""The store's process: keys, port, shutdown and memory."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from reviewapp.tracestore.listener import listen
from tests.tracestore.store_calls import query_rows, send_span
from tests.tracestore_server import ROOT, RunningStore, launch_process, start_store


def _run_until_ready(database: Path, *arguments: str, line: str = "") -> tuple[int, str, str]:
    process = launch_process(database, *arguments, line=line)
    assert process.stdout is not None
    assert process.stderr is not None
    ready = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    output = process.stdout.read()
    return code, output, ready + process.stderr.read()


def test_it_creates_a_project_and_prints_its_keys_once(tmp_path: Path) -> None:
    code, output, _ = _run_until_ready(tmp_path / "new" / "store.sqlite3", "--json")
    keys = json.loads(output)
    assert (code, list(keys)) == (0, ["project_id", "full_key", "ingest_key"])
    assert all(re.fullmatch("[A-Za-z0-9]{64}", keys[name]) for name in ("full_key", "ingest_key"))
    assert _run_until_ready(tmp_path / "new" / "store.sqlite3", "--json")[:2] == (0, "")


@pytest.mark.parametrize("line", ["", '{"project_id": "x", "full_key": "secretkey", "ingest_key": "b"}'])
def test_it_refuses_keys_it_cannot_read(tmp_path: Path, line: str) -> None:
    process = launch_process(tmp_path / "store.sqlite3", "--keys-stdin", line=line)
    output, error = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert "Nothing was changed." in error
    assert "secretkey" not in error


def test_it_sends_responses_without_waiting_for_the_clients_acknowledgement() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_it_refuses_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        process = launch_process(tmp_path / "store.sqlite3", f"--port={listener.getsockname()[1]}")
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.startswith("The trace store cannot listen on 127.0.0.1 port ")
    assert error.count("\n") == 1


def test_it_refuses_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_text("Dear diary, " * 1000)
    _, error = launch_process(tmp_path / "store.sqlite3").communicate(timeout=60)
    assert error.startswith("The trace store cannot use ")
    assert "Traceback" not in error


def test_it_refuses_a_file_of_a_newer_release(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    process = launch_process(tmp_path / "store.sqlite3")
    _, error = process.communicate(timeout=60)
    assert (process.returncode, "Upgrade the trace store." in error) == (1, True)


def test_it_starts_from_the_management_command(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "tracestore", "--port=0", "--json"]
    environment = os.environ | {"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "reviewapp.settings"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    keys = json.loads(process.stdout.readline())
    url = process.stderr.readline().split()[-1]
    project = httpx.get(f"{url}/v1/project", headers={"Authorization": f"Bearer {keys['full_key']}"}).json()
    process.terminate()
    assert (process.wait(60), project) == (0, {"projectId": keys["project_id"]})
    assert (tmp_path / "tracestore.sqlite3").stat().st_mode & 0o077 == 0


def test_it_stops_cleanly_when_interrupted(tmp_path: Path) -> None:
    store = start_store(tmp_path)
    assert httpx.get(f"{store.url}/ready").text == "OK"
    assert store.stop(signal.SIGINT) == 0


def test_it_is_small(tmp_path: Path, trace_id: str) -> None:
    store = start_store(tmp_path)
    with store.client() as client:
        send_span(client, trace_id)
        query_rows(client, "SELECT * FROM traces LIMIT 10")
    status = Path(f"/proc/{store.process.pid}/status").read_text()
    assert store.stop(signal.SIGTERM) == 0
    kilobytes = int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]
    assert kilobytes < 80 * 1024


def test_it_tells_grpc_clients_to_use_http_once(tmp_path: Path) -> None:
    store = start_store(tmp_path)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", store.port), timeout=60) as client:
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 ")
    store.process.send_signal(signal.SIGTERM)
    _, error = store.process.communicate(timeout=60)
    assert error.count("\n") == 1
    assert "force_http=True (Python) or forceHttp: true (TypeScript)" in error


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics/"])
def test_it_accepts_logs_and_metrics_and_keeps_nothing(
    full_client: httpx.Client, ingest_client: httpx.Client, tracestore: RunningStore, path: str
) -> None:
    for client in (full_client, ingest_client):
        response = client.post(path, content=b"anything", headers={"Content-Type": "application/x-protobuf"})
        assert (response.status_code, response.content) == (200, b"")
    assert httpx.post(f"{tracestore.url}{path}").status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/v1/evals", "/v1/evals/7/datapoints", "/v1/datasets/7/parquets/0", "/v1/rollouts", "/v1/mcp",
     "/v1/cli/traces/metadata",
     "/v1/labeling_queues/7/items", "/v1/browser-sessions/events"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_says_what_it_does_not_include(full_client: httpx.Client, path: str, method: str) -> None:
    response = full_client.request(method, path)
    assert response.status_code == 404
    assert response.text.startswith(f"{path} is not part of the embedded store")
