"""Measure a reviewer who answers a hundred items with the keyboard only: keystrokes and seconds."""

import json
import re
import statistics
import time

from benchmarks.chromium import answer_item, open_next_item, open_reviewer_page
from benchmarks.environment import fresh_environment, min_max

ITEMS, ANSWERS, RUNS = 1_000, 100, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), "1"))
        with environment.web() as url:
            runs = [_one_run(url, queue_data) for _ in range(RUNS)]
    seconds = [run[1] for run in runs]
    return {
        "name": "reviewer",
        "work": f"{ANSWERS} items answered with the keyboard only, without reading time; an answer counts once the "
        f"next item is painted, and all are checked to be saved at the end; {RUNS} runs",
        "keystrokes": max(run[0] for run in runs),
        "seconds": round(statistics.median(seconds), 1),
        "p95_ms": round(statistics.median(run[2] for run in runs), 1),
        "spread": {"seconds": min_max(seconds)},
    }


def _one_run(url: str, queue_data: dict[str, str]) -> tuple[int, float, float]:
    with open_reviewer_page(url, queue_data) as page:
        open_next_item(page, url, queue_data)
        reviewed_before = _count_reviewed(page.content())
        page.evaluate("bench.keys = 0; addEventListener('keydown', () => bench.keys++, true)")
        started_at = time.perf_counter()
        for number in range(ANSWERS):
            answer_item(page, str(number % 5), reading=0)
        seconds = time.perf_counter() - started_at
        keystrokes: int = page.evaluate("bench.keys")
        times: list[float] = page.evaluate("bench.times")
        page.wait_for_load_state("networkidle")
        open_next_item(page, url, queue_data)
        if _count_reviewed(page.content()) - reviewed_before != ANSWERS:
            raise RuntimeError(f"{_count_reviewed(page.content()) - reviewed_before} of {ANSWERS} answers were saved.")
        return keystrokes, seconds, statistics.quantiles(times, n=20)[18]


def _count_reviewed(html: str) -> int:
    """Return the number of reviewed items that the page shows."""
    match = re.search(r">([\d,]+) reviewed", html)
    return int(match[1].replace(",", "")) if match else 0
