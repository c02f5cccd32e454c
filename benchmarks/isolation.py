"""Measure how long a project's patches take while another project, or some of its own traces, fail at every attempt."""

import json
import signal
import statistics
import subprocess
import sys

from benchmarks import fake_laminar
from benchmarks.environment import ROOT, fresh_environment, min_max

RATE, SECONDS, WAITING, POISON, RUNS = 20, 20, 2_000, (1, 20), 3
DEAD = "http://127.0.0.1:9"
MODES = ("dead", "slow", "flood", "broken")


def run(database: str | None) -> dict[str, object]:
    times_by_case = {
        "alone": [_time_patches(database) for _ in range(RUNS)],
        **{f"poison_{count}": [_time_patches(database, poison=count) for _ in range(RUNS)] for count in POISON},
        **{mode: [_time_patches(database, mode) for _ in range(RUNS)] for mode in MODES},
    }
    p99_by_case = {name: [_compute_p99(times) for times in runs] for name, runs in times_by_case.items()}
    return {
        "name": "isolation",
        "work": f"{RATE} patches per second for {SECONDS} s, each timed from its save until recorded as accepted, "
        f"with one worker: alone; with {POISON[0]} and {POISON[1]} traces of the same project that always fail; while "
        f"{WAITING:,} patches of another project go to a Laminar that refuses connections, never answers, answers 429, "
        f"or answers 500; medians of {RUNS} runs, on {'PostgreSQL' if database else 'SQLite'}",
        **{f"{name}_p99_ms": round(statistics.median(p99)) for name, p99 in p99_by_case.items()},
        "p50_ms": {
            name: round(statistics.median(map(statistics.median, runs))) for name, runs in times_by_case.items()
        },
        "spread": {name: min_max(p99) for name, p99 in p99_by_case.items()},
    }


def _compute_p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _time_patches(database: str | None, mode: str = "", poison: int = 0) -> list[float]:
    """Return each patch's milliseconds while another project's Laminar is in `mode`; "" for no other patches."""
    with (
        fresh_environment(database) as environment,
        fake_laminar.run_fake_laminar(20) as url,
        fake_laminar.run_fake_laminar(20) as other_url,
    ):
        environment.env["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
        fake_laminar.set_mode(other_url, mode)
        waiting_url, waiting = DEAD if mode == "dead" else other_url, WAITING if mode else 0
        environment.run("-m", "benchmarks.outbox_data", waiting_url, str(waiting))
        command = [sys.executable, "manage.py", "deliver"]
        worker = subprocess.Popen(command, cwd=ROOT, env=environment.env, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            times: list[float] = json.loads(
                environment.run("-m", "benchmarks.patch_timing", url, str(RATE), str(SECONDS), str(poison))
            )
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    return times
