"""A reviewer who answers a hundred items by keys alone: keystrokes and seconds."""

import json
import re
import statistics
import time

from benchmarks.chromium import answer_item, open_next_item, open_reviewer_page
from benchmarks.environment import fresh_environment, min_max

ITEMS, ANSWERS, RUNS = 1_000, 100, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as place:
        desk = json.loads(place.run("-m", "benchmarks.queue_data", str(ITEMS), "1"))
        with place.web() as url:
            runs = [_one_run(url, desk) for _ in range(RUNS)]
    seconds = [run[1] for run in runs]
    return {
        "name": "reviewer",
        "work": f"{ANSWERS} items answered by keys alone, without a pause for reading; each answer counted only when "
        f"the next item is painted, and all of them found saved at the end; {RUNS} runs",
        "keystrokes": max(run[0] for run in runs),
        "seconds": round(statistics.median(seconds), 1),
        "p95_ms": round(statistics.median(run[2] for run in runs), 1),
        "spread": {"seconds": min_max(seconds)},
    }


def _one_run(url: str, desk: dict[str, str]) -> tuple[int, float, float]:
    with open_reviewer_page(url, desk) as page:
        open_next_item(page, url, desk)
        before = _saved(page.content())
        page.evaluate("bench.keys = 0; addEventListener('keydown', () => bench.keys++, true)")
        began = time.perf_counter()
        for number in range(ANSWERS):
            answer_item(page, str(number % 5 + 1), reading=0)
        seconds = time.perf_counter() - began
        keys: int = page.evaluate("bench.keys")
        times: list[float] = page.evaluate("bench.times")
        page.wait_for_load_state("networkidle")
        open_next_item(page, url, desk)
        if _saved(page.content()) - before != ANSWERS:
            raise RuntimeError(f"{_saved(page.content()) - before} of {ANSWERS} answers were saved.")
        return keys, seconds, statistics.quantiles(times, n=20)[18]


def _saved(html: str) -> int:
    """How many items the page says are reviewed."""
    found = re.search(r">([\d,]+) reviewed", html)
    return int(found[1].replace(",", "")) if found else 0
