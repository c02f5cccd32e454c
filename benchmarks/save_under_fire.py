"""Measure how long a save takes while Laminar is steady, dead, slow, flooded or broken and a worker sends patches."""

import json
import signal
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from benchmarks import fake_laminar
from benchmarks.browser import Browser
from benchmarks.environment import ROOT, fresh_environment
from benchmarks.save import time_saves

ITEMS, CLIENTS, SAVES, WAITING = 2_000, 4, 150, 2_000
DEAD = "http://127.0.0.1:9"
MODES = ("steady", "dead", "slow", "flood", "broken")


def run(database: str | None) -> dict[str, object]:
    times_by_mode = {mode: _time_in_mode(database, mode) for mode in MODES}
    return {
        "name": "save-under-fire",
        "work": f"{CLIENTS} reviewers submit {SAVES} reviews each over HTTP while a worker pushes {WAITING:,} patches "
        "to a Laminar that answers after 20 ms, refuses connections, never answers, answers 429, or answers 500",
        **{f"{mode}_p99_ms": round(statistics.quantiles(times, n=100)[98], 1) for mode, times in times_by_mode.items()},
        "p50_ms": {mode: round(statistics.median(times), 1) for mode, times in times_by_mode.items()},
    }


def _time_in_mode(database: str | None, mode: str) -> list[float]:
    with fresh_environment(database) as environment, fake_laminar.run_fake_laminar(20) as url:
        environment.env["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), str(CLIENTS)))
        environment.run("-m", "benchmarks.outbox_data", DEAD if mode == "dead" else url, str(WAITING))
        fake_laminar.set_mode(url, mode)
        command = [sys.executable, "manage.py", "deliver"]
        worker = subprocess.Popen(command, cwd=ROOT, env=environment.env, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            with environment.web() as web:
                browsers = [Browser(web) for _ in range(CLIENTS)]
                for browser, name in zip(browsers, queue_data["people"], strict=True):
                    browser.sign_in(name, queue_data["password"])
                with ThreadPoolExecutor(CLIENTS) as pool:
                    times = list(pool.map(lambda browser: time_saves(browser, queue_data, SAVES), browsers))
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    return [ms for client_times in times for ms in client_times]
