"""What a save takes while Laminar is well, dead, slow, flooding or broken, with a worker at work and rows waiting."""

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

ITEMS, CLIENTS, EACH, WAITING = 2_000, 4, 150, 2_000
DEAD = "http://127.0.0.1:9"
MOODS = ("steady", "dead", "slow", "flood", "broken")


def run(database: str | None) -> dict[str, object]:
    times = {mood: _in_mood(database, mood) for mood in MOODS}
    return {
        "name": "save-under-fire",
        "work": f"{CLIENTS} reviewers submit {EACH} reviews each over HTTP while one worker pushes {WAITING:,} patches "
        "that waited to a Laminar that answers after 20 ms, refuses connections, never answers, says 429, or says 500",
        **{f"{mood}_p99_ms": round(statistics.quantiles(found, n=100)[98], 1) for mood, found in times.items()},
        "p50_ms": {mood: round(statistics.median(found), 1) for mood, found in times.items()},
    }


def _in_mood(database: str | None, mood: str) -> list[float]:
    with fresh_environment(database) as place, fake_laminar.run_fake_laminar(20) as url:
        place.env["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
        desk = json.loads(place.run("-m", "benchmarks.queue_data", str(ITEMS), str(CLIENTS)))
        place.run("-m", "benchmarks.outbox_data", DEAD if mood == "dead" else url, str(WAITING))
        fake_laminar.set_mode(url, mood)
        command = [sys.executable, "manage.py", "deliver"]
        worker = subprocess.Popen(command, cwd=ROOT, env=place.env, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            with place.web() as web:
                browsers = [Browser(web) for _ in range(CLIENTS)]
                for browser, name in zip(browsers, desk["people"], strict=True):
                    browser.sign_in(name, desk["password"])
                with ThreadPoolExecutor(CLIENTS) as pool:
                    found = list(pool.map(lambda browser: time_saves(browser, desk, EACH), browsers))
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    return [ms for each in found for ms in each]
