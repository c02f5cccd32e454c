"""How long a save takes, and how many a second eight reviewers get together."""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.browser import Browser, make_review_fields
from benchmarks.environment import fresh_environment, min_max

ITEMS, ALONE, CLIENTS, TOGETHER, RUNS = 10_000, 100, 8, 100, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as place:
        desk = json.loads(place.run("-m", "benchmarks.queue_data", str(ITEMS), str(CLIENTS)))
        with place.web() as url:
            browsers = [Browser(url) for _ in range(CLIENTS)]
            for browser, name in zip(browsers, desk["people"], strict=True):
                browser.sign_in(name, desk["password"])
            alone = [time_saves(browsers[0], desk, ALONE) for _ in range(RUNS)]
            rates, together = [], []
            for _ in range(RUNS):
                began = time.perf_counter()
                with ThreadPoolExecutor(CLIENTS) as pool:
                    together += list(pool.map(lambda browser: time_saves(browser, desk, TOGETHER), browsers))
                rates.append(CLIENTS * TOGETHER / (time.perf_counter() - began))
    p50 = [statistics.median(times) for times in alone]
    return {
        "name": "save",
        "work": f"{ITEMS:,} items in one queue; one reviewer submits {ALONE} reviews one after the other, then "
        f"{CLIENTS} reviewers {TOGETHER} each at once, over HTTP, each answer the address of the next item claimed; "
        f"{RUNS} runs",
        "p50_ms": round(statistics.median(p50), 2),
        "p95_ms": round(statistics.median(statistics.quantiles(times, n=20)[18] for times in alone), 2),
        "per_s": round(statistics.median(rates), 1),
        "together_p95_ms": round(statistics.median(statistics.quantiles(times, n=20)[18] for times in together), 2),
        "spread": {"p50_ms": min_max(p50), "per_s": min_max(rates)},
    }


def time_saves(browser: Browser, desk: dict[str, str], count: int) -> list[float]:
    """Submit so many reviews; the milliseconds of each."""
    opened = browser.get(f"/p/{desk['project']}/queues/{desk['queue']}/review/")
    fields, where, times = make_review_fields(opened.body, 0), opened.location, []
    for number in range(count):
        saved = browser.post(where, {**fields, "score": f"0.{number % 10}", "version": "0"})
        if saved.status != 302:
            raise RuntimeError(f"A save was answered with {saved.status}.")
        times.append(saved.ms)
        where = saved.location
    return times
