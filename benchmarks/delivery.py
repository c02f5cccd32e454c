"""Measure delivery speed: against the official SDK in a loop, against plain httpx, and with many rows in the outbox."""

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
FEW, MANY, TIMED = 1_000, 1_000_000, 2_000
WAITING = 100_000
VALUES = {"score": 0.5, "needs_review": True, "notes": "The answer leaves out a step.", "review_rev": 1}


def run(database: str | None) -> dict[str, object]:
    workers = WORKERS if database else 1
    with fake_laminar.run_fake_laminar(DELAY) as url:
        sdk_seconds = _time_sdk(url)
        bare_runs = [asyncio.run(_time_bare(url)) for _ in range(RUNS)]
        runs = [_deliver(database, url, PATCHES) for _ in range(RUNS)]
        sustained = _deliver(database, url, SUSTAINED, workers=workers)
        among_few = _deliver(database, url, TIMED, old=FEW)
        among_many = _deliver(database, url, TIMED, old=MANY)
        large_outbox = _deliver(database, url, WAITING, stop_after=TIMED)
    rates = [PATCHES / times.pushed for times in runs]
    return {
        "name": "delivery",
        "work": f"{PATCHES:,} patches, each of another trace, to a fake Laminar that answers after {DELAY} ms: the "
        f"SDK's push_metadata in a loop; httpx alone, {CONCURRENT} concurrent requests; our worker from its start to "
        f"the last push, then to the last confirmation; {RUNS} runs. {SUSTAINED:,} patches with {workers} worker(s). "
        f"{TIMED:,} patches among confirmed rows",
        "sdk_s": round(sdk_seconds, 1),
        "bare_per_s": round(PATCHES / statistics.median(bare_runs)),
        "worker_s": round(statistics.median(times.pushed for times in runs), 1),
        "worker_per_s": round(statistics.median(PATCHES / times.pushing for times in runs)),
        "confirmed_s": round(statistics.median(times.confirmed for times in runs), 1),
        "of_sdk": round(statistics.median(times.pushed for times in runs) / sdk_seconds, 3),
        "of_bare": round(statistics.median(bare_runs) / statistics.median(times.pushing for times in runs), 2),
        "sustained_per_s": round(SUSTAINED / sustained.pushing),
        "ms_each_among_1k": round(among_few.pushing / TIMED * 1000, 2),
        "ms_each_among_1m": round(among_many.pushing / TIMED * 1000, 2),
        "mib_with_100k_waiting": round(large_outbox.mib),
        "spread": {"bare_per_s": min_max([PATCHES / seconds for seconds in bare_runs]), "worker_per_s": min_max(rates)},
    }


class DeliveryTimes:
    """Seconds from the start to the last push, of pushing alone, and to the last confirmation; the worker's MiB."""

    def __init__(self, pushed: float, pushing: float, confirmed: float, mib: float) -> None:
        self.pushed, self.pushing, self.confirmed, self.mib = pushed, pushing, confirmed, mib


def _time_sdk(url: str) -> float:
    host, port = url.removeprefix("http://").split(":")
    client = LaminarClient(base_url=f"http://{host}", project_api_key="a-key-of-a-benchmark", port=int(port))
    started_at = time.perf_counter()
    for _ in range(PATCHES):
        client.traces.push_metadata(uuid4(), VALUES)
    return time.perf_counter() - started_at


async def _time_bare(url: str) -> float:
    remaining = iter(range(PATCHES))
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:

        async def work() -> None:
            for _ in remaining:
                response = await client.post("/v1/traces/metadata", json={"traceId": str(uuid4()), "metadata": VALUES})
                response.raise_for_status()

        started_at = time.perf_counter()
        await asyncio.gather(*[work() for _ in range(CONCURRENT)])
        return time.perf_counter() - started_at


def _deliver(
    database: str | None, url: str, patches: int, *, old: int = 0, workers: int = 1, stop_after: int | None = None
) -> DeliveryTimes:
    """Deliver `patches` waiting patches with our workers; `stop_after` stops after so many pushes."""
    with fresh_environment(database) as environment:
        environment.env["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
        environment.run("-m", "benchmarks.outbox_data", url, str(patches), str(old))
        pushes_before, started_at = fake_laminar.fetch_counts(url)["pushes"], time.time()
        fake_laminar.reset_times(url)
        with _run_workers(environment, workers) as processes:
            expected_pushes = stop_after or patches
            while fake_laminar.fetch_counts(url)["pushes"] - pushes_before < expected_pushes:
                time.sleep(0.05)
            counts, mib = fake_laminar.fetch_counts(url), max(_read_memory_mib(process.pid) for process in processes)
            while stop_after is None and _count_confirmed(environment) < patches:
                time.sleep(0.1)
            confirmed = time.time() - started_at
        return DeliveryTimes(counts["last"] - started_at, counts["last"] - counts["first"], confirmed, mib)


def _count_confirmed(environment: Environment) -> int:
    states: dict[str, int] = json.loads(environment.run("-m", "benchmarks.outbox_data", "states"))
    return states["confirmed"]


@contextmanager
def _run_workers(environment: Environment, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [sys.executable, "manage.py", "deliver"]
    processes = [subprocess.Popen(command, cwd=ROOT, env=environment.env) for _ in range(count)]  # noqa: S603
    try:
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(40)


def _read_memory_mib(pid: int) -> float:
    """Return a process's resident memory in MiB, shared pages included."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024
