"""How long a project's patches take while another project, or some traces of its own, fail at every try."""

import json
import signal
import statistics
import subprocess
import sys

from benchmarks import fake_laminar
from benchmarks.environment import ROOT, fresh_environment, min_max

RATE, SECONDS, WAITING, POISON, RUNS = 20, 20, 2_000, (1, 20), 3
DEAD = "http://127.0.0.1:9"
MOODS = ("dead", "slow", "flood", "broken")


def run(database: str | None) -> dict[str, object]:
    times = {
        "alone": [_beside(database) for _ in range(RUNS)],
        **{f"poison_{many}": [_beside(database, poison=many) for _ in range(RUNS)] for many in POISON},
        **{mood: [_beside(database, mood) for _ in range(RUNS)] for mood in MOODS},
    }
    p99 = {name: [_p99(each) for each in found] for name, found in times.items()}
    return {
        "name": "isolation",
        "work": f"{RATE} patches a second for {SECONDS} s from their save to Laminar's yes, written down, by one "
        f"worker: alone; beside {POISON[0]} and {POISON[1]} traces of their own that Laminar fails for ever; while "
        f"{WAITING:,} patches of another project meet one that refuses connections, never answers, says 429, or says "
        f"500; medians of {RUNS} runs, on {'PostgreSQL' if database else 'SQLite'}",
        **{f"{name}_p99_ms": round(statistics.median(found)) for name, found in p99.items()},
        "p50_ms": {name: round(statistics.median(map(statistics.median, found))) for name, found in times.items()},
        "spread": {name: min_max(found) for name, found in p99.items()},
    }


def _p99(found: list[float]) -> float:
    return statistics.quantiles(found, n=100)[98]


def _beside(database: str | None, mood: str = "", poison: int = 0) -> list[float]:
    """Milliseconds of each patch, beside a neighbour whose Laminar is in this mood; without it there is none."""
    with (
        fresh_environment(database) as place,
        fake_laminar.run_fake_laminar(20) as url,
        fake_laminar.run_fake_laminar(20) as neighbour,
    ):
        place.env["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
        fake_laminar.set_mode(neighbour, mood)
        place.run("-m", "benchmarks.outbox_data", DEAD if mood == "dead" else neighbour, str(WAITING if mood else 0))
        command = [sys.executable, "manage.py", "deliver"]
        worker = subprocess.Popen(command, cwd=ROOT, env=place.env, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            found: list[float] = json.loads(
                place.run("-m", "benchmarks.patch_timing", url, str(RATE), str(SECONDS), str(poison))
            )
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    return found
