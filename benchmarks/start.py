"""Measure the demo's start time, the memory of its processes, and the installation's disk size."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from benchmarks.environment import ROOT, free_port, min_max

RUNS = 5
COMMAND = (sys.executable, "manage.py", "demo")


def run(database: str | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="review-bench-") as folder:
        first = time_start(COMMAND, folder, database)
        runs = [time_start(COMMAND, folder, database) for _ in range(RUNS)]
    seconds, memory = [run.seconds for run in runs], [run.rss_mb for run in runs]
    return {
        "name": "start",
        "work": f"`manage.py demo --json` to its line, when all three processes answer: once on an empty folder, then "
        f"{RUNS} times on its data; memory of all its processes 3 s later, by RSS",
        "seconds": round(statistics.median(seconds), 2),
        "seconds_first": round(first.seconds, 2),
        "mb": round(statistics.median(memory), 1),
        "installed_mb": round(_installed_bytes() / 1e6, 1),
        "spread": {"seconds": min_max(seconds), "mb": min_max(memory)},
    }


class Start(NamedTuple):
    """The seconds until a demo answers, and the memory of its processes in MB; PSS counts shared pages once."""

    seconds: float
    rss_mb: float
    pss_mb: float


def time_start(command: Sequence[str], folder: str, database: str | None) -> Start:
    """Start a demo on the data in `folder`, and end it."""
    environment = {**os.environ, "DATA_DIR": folder, "PORT": str(free_port()), "STORE_PORT": _store_port(folder)}
    if database:
        environment["DATABASE_URL"] = database
    started_at = time.perf_counter()
    demo = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--json"], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        json.loads(demo.stdout.readline() if demo.stdout else "")
        seconds = time.perf_counter() - started_at
        time.sleep(3)
        rss, pss = (
            sum(_read_bytes(pid, file, field) for pid in _process_tree(demo.pid)) / 1e6
            for file, field in (("status", "VmRSS:"), ("smaps_rollup", "Pss:"))
        )
        return Start(seconds, rss, pss)
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


def _store_port(folder: str) -> str:
    # The same port at each start, since the demo's project has it in its URL.
    port_file = Path(folder) / "bench_store_port"
    if not port_file.exists():
        port_file.write_text(str(free_port()))
    return port_file.read_text()


def _process_tree(pid: int) -> list[int]:
    pids = [pid]
    for parent in pids:
        tasks = Path(f"/proc/{parent}/task")
        pids += [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    return pids


def _read_bytes(pid: int, file: str, field: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def _installed_bytes() -> int:
    """Return the bytes of all installed packages that the project requires at run time."""
    requirements, size = [Requirement("reviewapp")], 0
    measured: set[str] = set()
    for requirement in requirements:
        if requirement.name in measured:
            continue
        measured.add(requirement.name)
        package = distribution(requirement.name)
        files = [Path(str(file.locate())) for file in package.files or []]
        size += sum(file.stat().st_size for file in files if file.is_file())
        extras = requirement.extras or {""}
        dependencies = [Requirement(text) for text in package.requires or []]
        requirements += [
            dependency
            for dependency in dependencies
            if dependency.marker is None or any(dependency.marker.evaluate({"extra": e}) for e in extras)
        ]
    return size
