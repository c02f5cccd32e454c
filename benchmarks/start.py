"""How soon the demo is ready, how much memory its processes hold, and how much disk the installation takes."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.environment import ROOT, free_port, min_max

RUNS = 5


def run(database: str | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="review-bench-") as folder:
        first, _ = _start(folder, database)
        runs = [_start(folder, database) for _ in range(RUNS)]
    seconds, resident = [run[0] for run in runs], [run[1] for run in runs]
    return {
        "name": "start",
        "work": f"`manage.py demo --json` to its line, when all three processes answer: once on an empty folder, then "
        f"{RUNS} times on its data; memory of all its processes 3 s later, by RSS",
        "seconds": round(statistics.median(seconds), 2),
        "seconds_first": round(first, 2),
        "mb": round(statistics.median(resident), 1),
        "installed_mb": round(_installed() / 1e6, 1),
        "spread": {"seconds": min_max(seconds), "mb": min_max(resident)},
    }


def _start(folder: str, database: str | None) -> tuple[float, float]:
    environment = {**os.environ, "DATA_DIR": folder, "PORT": str(free_port()), "STORE_PORT": _store_port(folder)}
    if database:
        environment["DATABASE_URL"] = database
    began = time.perf_counter()
    demo = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--json"], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        json.loads(demo.stdout.readline() if demo.stdout else "")
        seconds = time.perf_counter() - began
        time.sleep(3)
        return seconds, sum(_resident(pid) for pid in _family(demo.pid)) / 1e6
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


def _store_port(folder: str) -> str:
    # The same at each start: the demo's project points at it.
    kept = Path(folder) / "bench_store_port"
    if not kept.exists():
        kept.write_text(str(free_port()))
    return kept.read_text()


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        tasks = Path(f"/proc/{parent}/task")
        found += [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    return found


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def _installed() -> int:
    """Bytes of every package that running the product needs, found from what the project asks for."""
    wanted, size = [Requirement("reviewapp")], 0
    seen: set[str] = set()
    for need in wanted:
        if need.name in seen:
            continue
        seen.add(need.name)
        package = distribution(need.name)
        files = [Path(str(file.locate())) for file in package.files or []]
        size += sum(file.stat().st_size for file in files if file.is_file())
        extras = need.extras or {""}
        further = [Requirement(text) for text in package.requires or []]
        wanted += [
            one for one in further if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in extras)
        ]
    return size
