"""Run a real trace store in its own process on a free port."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RunningStore:
    """A running store: its URL, keys, database file and process."""

    url: str
    project_id: str
    full_key: str
    ingest_key: str
    database: Path
    process: "subprocess.Popen[str]"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, key: str | None = None) -> httpx.Client:
        """Returns a client that sends the full key, or `key`."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key or self.full_key}"}, timeout=60)

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the store. Returns its exit code."""
        self.process.send_signal(signal_number)
        code = self.process.wait(_STOP_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


def launch_process(
    database: Path, *arguments: str, line: str = "", variables: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start the store's process with these environment variables and write `line` to its standard input."""
    command = [sys.executable, "-m", "reviewapp.tracestore", "--port=0", f"--database={database}", *arguments]
    pipe = subprocess.PIPE
    environment = os.environ | {"MALLOC_ARENA_MAX": "1"} | (variables or {})
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.close()
    process.stdin = None
    return process


def start_store(
    tmp_path: Path,
    apply_delay_ms: int = 0,
    keys: dict[str, str] | None = None,
    variables: dict[str, str] | None = None,
) -> RunningStore:
    """Start a store with its database file in `tmp_path`. A second start there reuses the file."""
    credentials = keys or new_keys()
    database = tmp_path / "tracestore.sqlite3"
    process = launch_process(
        database, f"--apply-delay={apply_delay_ms}", "--keys-stdin", line=json.dumps(credentials) + "\n",
        variables=variables,
    )  # fmt: skip
    assert process.stderr is not None
    ready_line = process.stderr.readline()
    assert "listens on http://" in ready_line, ready_line + process.stderr.read()
    return RunningStore(url=ready_line.split()[-1], database=database, process=process, **credentials)


def new_keys() -> dict[str, str]:
    """Generate a project id and keys in the form that the store reads from standard input."""
    return {"project_id": str(uuid4()), "full_key": f"full{uuid4().hex}", "ingest_key": f"ingest{uuid4().hex}"}


@contextmanager
def run_store(tmp_path: Path, **options: Any) -> Iterator[RunningStore]:
    """Run a store for the block, stop it afterwards and check that it exits with code 0."""
    store = start_store(tmp_path, **options)
    try:
        yield store
    finally:
        code = store.stop()
    assert code == 0


@pytest.fixture(scope="session")
def tracestore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """One store for all tests of a session: patches apply immediately, and every test uses its own trace ids."""
    with run_store(tmp_path_factory.mktemp("tracestore")) as store:
        yield store
