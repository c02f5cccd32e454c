"""The processes of a run, each of which can be killed and restarted: fake Laminar, web app, workers.

They share the database of the process that starts them, whose Django is set up.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

from benchmarks.environment import free_port, wait_for
from tests.faults.fake_laminar import Rule, read_log
from tests.tracestore_server import ROOT


def process_environment(folder: Path) -> dict[str, str]:
    """Return the environment for the product's processes: this process's database, and their own data folder."""
    name = str(connection.settings_dict["NAME"])
    url = f"sqlite:///{name}"
    if connection.vendor != "sqlite":
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return os.environ | {
        "DATA_DIR": str(folder), "DATABASE_URL": url, "ALLOWED_LAMINAR_HOSTS": "127.0.0.1", "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "reviewapp.settings", "LOG_LEVEL": "ERROR",
    }  # fmt: skip


@dataclass(slots=True)
class FakeLaminar:
    """A running fake Laminar: its URL and its log."""

    url: str
    log_path: Path

    def set_rules(self, *rules: Rule, **settings: Any) -> None:
        """Replace its rules, and set whatever else `POST /control` takes."""
        self._control(json.dumps({"rules": rules, **settings}).encode())

    def get_metadata(self) -> dict[str, dict[str, Any]]:
        """Return the metadata of each trace, by trace id."""
        metadata: dict[str, dict[str, Any]] = self._control()["metadata"]
        return metadata

    def log(self) -> list[dict[str, Any]]:
        return list(read_log(self.log_path))

    def get_pushes(self) -> list[dict[str, Any]]:
        """Return the log entries of the metadata requests, in order."""
        return [line for line in self.log() if line["event"] == "request" and line["endpoint"] == "metadata"]

    def _control(self, settings: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/control", settings, timeout=30) as response:
            state: dict[str, Any] = json.load(response)
            return state


@contextlib.contextmanager
def run_fake_laminar(folder: Path) -> Iterator[FakeLaminar]:
    log_path = folder / "fake-laminar.log"
    command = [sys.executable, "-m", "tests.faults.fake_laminar", f"--log={log_path}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield FakeLaminar(process.stdout.readline().strip(), log_path)
        finally:
            process.kill()


@dataclass(slots=True)
class ForkServer:
    """Starts parts of the product in milliseconds; `ended` maps process ids to exit codes."""

    process: subprocess.Popen[str]
    folder: Path
    running: set[int] = field(default_factory=set)
    ended: dict[int, int] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self, argv: list[str], failpoints: str, log_path: Path, clock: Sequence[float] = ()) -> int:
        """Start a process with these failpoints and this clock and return its id. Raises TimeoutError."""
        assert self.process.stdin is not None
        with self.changed:
            before = self.running | self.ended.keys()
            command = {"argv": argv, "failpoints": failpoints, "clock": list(clock), "log": str(log_path)}
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            if not self.changed.wait_for(lambda: (self.running | self.ended.keys()) - before, 60):
                raise TimeoutError("The fork server started no process.")
            return next(iter((self.running | self.ended.keys()) - before))

    def wait(self, pid: int, seconds: float = 60) -> int:
        """Wait for a process to end and return its exit code. Raises TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(lambda: pid in self.ended, seconds):
                raise TimeoutError(f"The process is still running after {seconds:.0f} s.")
        return self.ended[pid]

    def listen(self) -> None:
        """Record which processes start and end, until the fork server closes its output."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event, pid, *code = line.split()
            with self.changed:
                if event == "started":
                    self.running.add(int(pid))
                else:
                    self.running.discard(int(pid))
                    self.ended[int(pid)] = int(code[0])
                self.changed.notify_all()


@contextlib.contextmanager
def run_fork_server(folder: Path, **environment: str) -> Iterator[ForkServer]:
    """Run a fork server; `environment` overrides the environment of what it starts."""
    command, pipe = [sys.executable, "-m", "tests.faults.fork_server"], subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=process_environment(folder) | environment, stdin=pipe, stdout=pipe, text=True
    ) as process:
        fork_server = ForkServer(process, folder)
        listener = threading.Thread(target=fork_server.listen, daemon=True)
        listener.start()
        try:
            yield fork_server
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)
            listener.join(60)


@dataclass(slots=True)
class Workers:
    """The workers of a run."""

    fork_server: ForkServer
    # The clocks of the workers' hosts, each for the next worker that starts.
    clocks: Sequence[Sequence[float]] = ((),)
    pids: list[int] = field(default_factory=list)

    def start(self, failpoints: str = "", clock: Sequence[float] | None = None) -> int:
        """Start a worker with these failpoints and return its process id.

        `clock`: see `host_clock.set_host_clock`; by default the next of `clocks`.
        """
        log_path = self.fork_server.folder / "workers.log"
        clock = self.clocks[len(self.pids) % len(self.clocks)] if clock is None else clock
        self.pids.append(self.fork_server.start(["deliver"], failpoints, log_path, clock))
        return self.pids[-1]

    def wait(self, pid: int, seconds: float = 60) -> int:
        return self.fork_server.wait(pid, seconds)

    def kill(self, *pids: int) -> None:
        """Kill these workers, or all, and wait until they have ended."""
        alive = [pid for pid in (pids or self.pids) if pid in self.fork_server.running]
        for pid in alive:
            os.kill(pid, signal.SIGKILL)
        for pid in alive:
            self.wait(pid)

    @property
    def killed(self) -> int:
        """The number of workers that ended by SIGKILL, from a failpoint or from outside."""
        return sum(self.fork_server.ended.get(pid) == -signal.SIGKILL for pid in self.pids)

    @property
    def alive(self) -> list[int]:
        return [pid for pid in self.pids if pid in self.fork_server.running]


@dataclass(frozen=True, slots=True)
class Freeze:
    """A frozen process: the local ports of its connections, and its start and end in seconds since 1970."""

    ports: frozenset[int]
    started_at: float
    ended_at: float


def get_local_ports(pid: int) -> frozenset[int]:
    """Return the local ports of a process's TCP connections."""
    sockets = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return frozenset(int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in sockets)


@dataclass(slots=True)
class Web:
    """The web app under gunicorn; it keeps its address when restarted."""

    fork_server: ForkServer
    log_path: Path
    failpoints: str = ""
    options: tuple[str, ...] = ()
    clock: Sequence[float] = ()
    port: int = field(default_factory=free_port)
    pid: int = 0
    # Processes killed by kill_all: masters with all their workers.
    killed_with_master: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def killed(self) -> int:
        """The number of processes that ended by SIGKILL: those in gunicorn's log, and those killed by kill_all."""
        return len(re.findall("sent SIGKILL", self.log_path.read_text())) + self.killed_with_master

    @property
    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def start(self) -> None:
        argv = ["gunicorn", "reviewapp.wsgi", f"--bind=127.0.0.1:{self.port}", *self.options]
        self.pid = self.fork_server.start(argv, self.failpoints, self.log_path, self.clock)
        wait_for(f"{self.url}/health")

    def kill_all(self) -> None:
        """Kill the master and all its workers at the same time."""
        self.killed_with_master += 1 + len(self.workers)
        os.killpg(self.pid, signal.SIGKILL)
        self.fork_server.wait(self.pid)


@contextlib.contextmanager
def run_web(fork_server: ForkServer, failpoints: str = "", *options: str, clock: Sequence[float] = ()) -> Iterator[Web]:
    web = Web(fork_server, fork_server.folder / f"web-{time.monotonic_ns()}.log", failpoints, options, clock)
    try:
        web.start()
        yield web
    finally:
        if web.pid in fork_server.running:
            web.kill_all()


def wait_until(condition: Callable[[], bool], seconds: float = 60, every: float = 0.02) -> None:
    """Wait until a condition is true, checking every `every` seconds. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"The condition was still false after {seconds:.0f} s.")
        time.sleep(every)
