"""Measure how long a reviewer waits for the next item."""

import json
import statistics

from benchmarks.browser import Browser, make_review_fields
from benchmarks.environment import fresh_environment, min_max

ITEMS, OPENS, RUNS = 10_000, 60, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), "1"))
        with environment.web() as url:
            browser = Browser(url)
            browser.sign_in(queue_data["people"][0], queue_data["password"])
            runs = [_one_run(browser, queue_data) for _ in range(RUNS)]
    p50, p95 = [statistics.median(times) for times in runs], [statistics.quantiles(times, n=20)[18] for times in runs]
    return {
        "name": "open",
        "work": f"{ITEMS:,} items of 5 spans and 3 KB each in one queue; {OPENS} times `review/` followed to the "
        f"item's whole page over HTTP, an answer submitted in between (not counted); {RUNS} runs",
        "p50_ms": round(statistics.median(p50), 2),
        "p95_ms": round(statistics.median(p95), 2),
        "spread": min_max(p50),
    }


def _one_run(browser: Browser, queue_data: dict[str, str]) -> list[float]:
    times = []
    for number in range(OPENS):
        opened = browser.get(f"/p/{queue_data['project']}/queues/{queue_data['queue']}/review/")
        times.append(opened.ms)
        browser.post(opened.location, make_review_fields(opened.body, number))
    return times[5:]
