"""A real trace store, as its own process on a free port."""

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
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RunningStore:
    """A store that answers: where, and with which keys."""

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
        """A client with the full key, or another."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key or self.full_key}"}, timeout=30)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; the exit code."""
        self.process.send_signal(sign)
        code = self.process.wait(_STOP_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


def launch_process(database: Path, *arguments: str, line: str = "") -> "subprocess.Popen[str]":
    """The store's process; `line` goes to its standard input."""
    command = [sys.executable, "-m", "reviewapp.tracestore", "--port=0", f"--database={database}", *arguments]
    pipe = subprocess.PIPE
    environment = os.environ | {"MALLOC_ARENA_MAX": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.close()
    process.stdin = None
    return process


def start_store(tmp_path: Path, apply_delay_ms: int = 0, keys: dict[str, str] | None = None) -> RunningStore:
    """Start a store whose file lies in `tmp_path`; started there again, it keeps what it holds."""
    given = keys or new_keys()
    database = tmp_path / "tracestore.sqlite3"
    process = launch_process(database, f"--apply-delay={apply_delay_ms}", "--keys-stdin", line=json.dumps(given) + "\n")
    assert process.stderr is not None
    told = process.stderr.readline()
    assert "listens on http://" in told, told + process.stderr.read()
    return RunningStore(url=told.split()[-1], database=database, process=process, **given)


def new_keys() -> dict[str, str]:
    """A project and its keys, as the store takes them on standard input."""
    return {"project_id": str(uuid4()), "full_key": f"full{uuid4().hex}", "ingest_key": f"ingest{uuid4().hex}"}


@contextmanager
def run_store(tmp_path: Path, **options: Any) -> Iterator[RunningStore]:
    """A store that is stopped afterwards, and ends well."""
    store = start_store(tmp_path, **options)
    try:
        yield store
    finally:
        code = store.stop()
    assert code == 0


@pytest.fixture(scope="session")
def tracestore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """One store for many tests: patches apply at once, and each test uses trace ids of its own."""
    with run_store(tmp_path_factory.mktemp("tracestore")) as store:
        yield store
