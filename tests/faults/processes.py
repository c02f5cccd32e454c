"""The parts of a run, each a process of its own that can be killed and started again: sink, web app, workers.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

from benchmarks.environment import free_port, wait_for
from tests.faults.fake_laminar import Rule, read_log
from tests.tracestore_server import ROOT

Process = subprocess.Popen  # of texts


def process_environment(folder: Path, **more: str) -> dict[str, str]:
    """What the product's processes are started with: this process's database, a folder of their own."""
    name = str(connection.settings_dict["NAME"])
    url = f"sqlite:///{name}"
    if connection.vendor != "sqlite":
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    told = {"DATA_DIR": str(folder), "DATABASE_URL": url, "ALLOWED_LAMINAR_HOSTS": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    return os.environ | told | {"DJANGO_SETTINGS_MODULE": "reviewapp.settings", "LOG_LEVEL": "ERROR"} | more


@dataclass(slots=True)
class FakeLaminar:
    """A running sink: where it is, and its log."""

    url: str
    path: Path
    process: "Process[str]"

    def set_rules(self, *rules: Rule, **more: Any) -> None:
        """Give it these rules in place of its own, and whatever else `POST /control` takes."""
        self._control(json.dumps({"rules": rules, **more}).encode())

    def get_metadata(self) -> dict[str, dict[str, Any]]:
        """The values of each trace as it shows them."""
        found: dict[str, dict[str, Any]] = self._control()["held"]
        return found

    def log(self) -> list[dict[str, Any]]:
        return list(read_log(self.path))

    def get_requests(self, on: str = "metadata") -> list[dict[str, Any]]:
        """The requests of one kind, in order."""
        return [line for line in self.log() if line["what"] == "asked" and line["on"] == on]

    def _control(self, told: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/control", told, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextlib.contextmanager
def run_fake_laminar(folder: Path, port: int = 0) -> Iterator[FakeLaminar]:
    path = folder / "sink.log"
    command = [sys.executable, "-m", "tests.faults.fake_laminar", f"--log={path}", f"--port={port}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield FakeLaminar(process.stdout.readline().strip(), path, process)
        finally:
            process.kill()


@dataclass(slots=True)
class ForkServer:
    """Starts parts of the product in milliseconds; `ended` holds the exit code of each that ended."""

    process: "Process[str]"
    folder: Path
    running: set[int] = field(default_factory=set)
    ended: dict[int, int] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self, argv: list[str], points: str, log: Path) -> int:
        """Start one with these failpoints; its process id."""
        assert self.process.stdin is not None
        with self.changed:
            before = self.running | self.ended.keys()
            self.process.stdin.write(json.dumps({"argv": argv, "points": points, "log": str(log)}) + "\n")
            self.process.stdin.flush()
            if not self.changed.wait_for(lambda: (self.running | self.ended.keys()) - before, 30):
                raise TimeoutError("The nursery started nothing.")
            return next(iter((self.running | self.ended.keys()) - before))

    def wait(self, pid: int, seconds: float = 20) -> int:
        """How this one ended. Raises TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(lambda: pid in self.ended, seconds):
                raise TimeoutError(f"The process still runs after {seconds:.0f} s.")
        return self.ended[pid]

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, pid, *code = line.split()
            with self.changed:
                if word == "started":
                    self.running.add(int(pid))
                else:
                    self.running.discard(int(pid))
                    self.ended[int(pid)] = int(code[0])
                self.changed.notify_all()


@contextlib.contextmanager
def run_fork_server(folder: Path) -> Iterator[ForkServer]:
    command, pipe = [sys.executable, "-m", "tests.faults.fork_server"], subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=process_environment(folder), stdin=pipe, stdout=pipe, text=True
    ) as process:
        nursery = ForkServer(process, folder)
        ear = threading.Thread(target=nursery.listen, daemon=True)
        ear.start()
        try:
            yield nursery
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
            ear.join(10)


@dataclass(slots=True)
class Workers:
    """The workers of a run."""

    fork_server: ForkServer
    pids: list[int] = field(default_factory=list)

    def start(self, points: str = "") -> int:
        """Start one with these failpoints; its process id."""
        self.pids.append(self.fork_server.start(["deliver"], points, self.fork_server.folder / "workers.log"))
        return self.pids[-1]

    def wait(self, pid: int, seconds: float = 20) -> int:
        return self.fork_server.wait(pid, seconds)

    def kill(self, *pids: int) -> int:
        """Kill these, or all; how many still ran. Returns when they are gone."""
        alive = [pid for pid in (pids or self.pids) if pid in self.fork_server.running]
        for pid in alive:
            os.kill(pid, signal.SIGKILL)
        for pid in alive:
            self.wait(pid)
        return len(alive)

    @property
    def killed(self) -> int:
        """How many ended by SIGKILL, from within or from outside."""
        return sum(self.fork_server.ended.get(pid) == -signal.SIGKILL for pid in self.pids)

    @property
    def alive(self) -> list[int]:
        return [pid for pid in self.pids if pid in self.fork_server.running]


@dataclass(frozen=True, slots=True)
class Freeze:
    """A process that stood still: the ports of its connections then, and from when to when, in seconds since 1970."""

    ports: frozenset[int]
    since: float
    until: float


def ports_of(pid: int) -> frozenset[int]:
    """The local ports of a process's TCP connections."""
    sockets = {os.readlink(place) for place in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return frozenset(int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in sockets)


@dataclass(slots=True)
class Web:
    """The web app as gunicorn serves it; started again it has the same address."""

    fork_server: ForkServer
    log: Path
    points: str = ""
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    pid: int = 0
    # Masters killed with all their workers.
    killed_with_master: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def killed(self) -> int:
        """How many of its processes ended by SIGKILL so far, as gunicorn tells it, and as we did it."""
        return len(re.findall("sent SIGKILL", self.log.read_text())) + self.killed_with_master

    @property
    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def start(self) -> None:
        argv = ["gunicorn", "reviewapp.wsgi", f"--bind=127.0.0.1:{self.port}", *self.options]
        self.pid = self.fork_server.start(argv, self.points, self.log)
        wait_for(f"{self.url}/health")

    def kill_all(self) -> None:
        """Kill the master and all its workers at once."""
        self.killed_with_master += 1 + len(self.workers)
        os.killpg(self.pid, signal.SIGKILL)
        self.fork_server.wait(self.pid)


@contextlib.contextmanager
def run_web(nursery: ForkServer, points: str = "", *options: str) -> Iterator[Web]:
    web = Web(nursery, nursery.folder / f"web-{time.monotonic_ns()}.log", points, options)
    try:
        web.start()
        yield web
    finally:
        if web.pid in nursery.running:
            web.kill_all()


def wait_until(holds: Callable[[], bool], seconds: float = 20, every: float = 0.02) -> None:
    """Wait until something holds. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"Still not after {seconds:.0f} s.")
        time.sleep(every)
