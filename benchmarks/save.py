"""Measure how long a save takes, and how many saves per second eight concurrent reviewers get."""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.browser import Browser, make_review_fields, open_next_item
from benchmarks.environment import fresh_environment, min_max

ITEMS, ALONE, CLIENTS, TOGETHER, RUNS = 10_000, 100, 8, 100, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), str(CLIENTS)))
        with environment.web() as url:
            browsers = [Browser(url) for _ in range(CLIENTS)]
            for browser, name in zip(browsers, queue_data["people"], strict=True):
                browser.sign_in(name, queue_data["password"])
            alone = [time_saves(browsers[0], queue_data, ALONE) for _ in range(RUNS)]
            rates, together = [], []
            for _ in range(RUNS):
                started_at = time.perf_counter()
                with ThreadPoolExecutor(CLIENTS) as pool:
                    together += list(pool.map(lambda browser: time_saves(browser, queue_data, TOGETHER), browsers))
                rates.append(CLIENTS * TOGETHER / (time.perf_counter() - started_at))
    p50 = [statistics.median(times) for times in alone]
    return {
        "name": "save",
        "work": f"{ITEMS:,} items in one queue; one reviewer submits {ALONE} reviews one after the other, then "
        f"{CLIENTS} reviewers {TOGETHER} each concurrently, over HTTP, each save redirecting to the next claimed item; "
        f"{RUNS} runs",
        "p50_ms": round(statistics.median(p50), 2),
        "p95_ms": round(statistics.median(statistics.quantiles(times, n=20)[18] for times in alone), 2),
        "per_s": round(statistics.median(rates), 1),
        "together_p95_ms": round(statistics.median(statistics.quantiles(times, n=20)[18] for times in together), 2),
        "spread": {"p50_ms": min_max(p50), "per_s": min_max(rates)},
    }


def time_saves(browser: Browser, queue_data: dict[str, str], count: int) -> list[float]:
    """Submit `count` reviews. Returns the milliseconds of each."""
    opened = open_next_item(browser, queue_data["project"], queue_data["queue"])
    fields, item_path, times = make_review_fields(opened.body, 0), opened.location, []
    for number in range(count):
        response = browser.post(item_path, {**fields, "score": f"0.{number % 10}", "version": "0"})
        if response.status != 302:
            raise RuntimeError(f"A save got status {response.status} instead of 302.")
        times.append(response.ms)
        item_path = response.location
    return times
