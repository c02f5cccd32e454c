"""How fast patches leave: against the official SDK in a loop, against a bare loop of httpx, and among many rows."""

import asyncio
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
from lmnr import LaminarClient

from benchmarks import fake_laminar
from benchmarks.environment import ROOT, Environment, fresh_environment, min_max

PATCHES, DELAY, CONCURRENT, RUNS = 5_000, 20, 16, 3
SUSTAINED, WORKERS = 20_000, 4
FEW, MANY, AMONG = 1_000, 1_000_000, 2_000
WAITING = 100_000
VALUES = {"score": 0.5, "needs_review": True, "notes": "The answer leaves out a step.", "review_rev": 1}


def run(database: str | None) -> dict[str, object]:
    workers = WORKERS if database else 1
    with fake_laminar.run_fake_laminar(DELAY) as url:
        sdk = _sdk(url)
        bare = [asyncio.run(_bare(url)) for _ in range(RUNS)]
        ours = [_ours(database, url, PATCHES) for _ in range(RUNS)]
        sustained = _ours(database, url, SUSTAINED, workers=workers)
        few = _ours(database, url, AMONG, old=FEW)
        many = _ours(database, url, AMONG, old=MANY)
        crowd = _ours(database, url, WAITING, until=AMONG)
    rates = [PATCHES / one.pushed for one in ours]
    return {
        "name": "delivery",
        "work": f"{PATCHES:,} patches of as many traces to a sink that answers after {DELAY} ms: the SDK's "
        f"push_metadata in a loop; httpx alone, {CONCURRENT} at once; our worker from its start to the last push, then "
        f"to the last confirmation; {RUNS} runs. {SUSTAINED:,} with {workers} of it. {AMONG:,} among rows long done",
        "sdk_s": round(sdk, 1),
        "bare_per_s": round(PATCHES / statistics.median(bare)),
        "worker_s": round(statistics.median(one.pushed for one in ours), 1),
        "worker_per_s": round(statistics.median(PATCHES / one.pushing for one in ours)),
        "confirmed_s": round(statistics.median(one.confirmed for one in ours), 1),
        "of_sdk": round(statistics.median(one.pushed for one in ours) / sdk, 3),
        "of_bare": round(statistics.median(bare) / statistics.median(one.pushing for one in ours), 2),
        "sustained_per_s": round(SUSTAINED / sustained.pushing),
        "ms_each_among_1k": round(few.pushing / AMONG * 1000, 2),
        "ms_each_among_1m": round(many.pushing / AMONG * 1000, 2),
        "mib_with_100k_waiting": round(crowd.mib),
        "spread": {"bare_per_s": min_max([PATCHES / each for each in bare]), "worker_per_s": min_max(rates)},
    }


class Delivered:
    """What it took to deliver: seconds from the start to the last push, of pushing alone, to the last confirmation."""

    def __init__(self, pushed: float, pushing: float, confirmed: float, mib: float) -> None:
        self.pushed, self.pushing, self.confirmed, self.mib = pushed, pushing, confirmed, mib


def _sdk(url: str) -> float:
    host, port = url.removeprefix("http://").split(":")
    client = LaminarClient(base_url=f"http://{host}", project_api_key="a-key-of-a-benchmark", port=int(port))
    began = time.perf_counter()
    for _ in range(PATCHES):
        client.traces.push_metadata(uuid4(), VALUES)
    return time.perf_counter() - began


async def _bare(url: str) -> float:
    left = iter(range(PATCHES))
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:

        async def work() -> None:
            for _ in left:
                sent = await client.post("/v1/traces/metadata", json={"traceId": str(uuid4()), "metadata": VALUES})
                sent.raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*[work() for _ in range(CONCURRENT)])
        return time.perf_counter() - began


def _ours(
    database: str | None, url: str, patches: int, *, old: int = 0, workers: int = 1, until: int | None = None
) -> Delivered:
    """Deliver a backlog with workers of our own; up to `until` pushes where not all are waited for."""
    with fresh_environment(database) as place:
        place.env["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
        place.run("-m", "benchmarks.outbox_data", url, str(patches), str(old))
        before, began = fake_laminar.fetch_counts(url)["pushes"], time.time()
        fake_laminar.reset_times(url)
        with _workers(place, workers) as processes:
            wanted = until or patches
            while fake_laminar.fetch_counts(url)["pushes"] - before < wanted:
                time.sleep(0.05)
            told, mib = fake_laminar.fetch_counts(url), max(_mib(process.pid) for process in processes)
            while (
                until is None and json.loads(place.run("-m", "benchmarks.outbox_data", "states"))["confirmed"] < patches
            ):
                time.sleep(0.1)
            confirmed = time.time() - began
        return Delivered(told["last"] - began, told["last"] - told["first"], confirmed, mib)


@contextmanager
def _workers(place: Environment, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [sys.executable, "manage.py", "deliver"]
    processes = [subprocess.Popen(command, cwd=ROOT, env=place.env) for _ in range(count)]  # noqa: S603
    try:
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(40)


def _mib(pid: int) -> float:
    """The memory a process has of its own and shares, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024
