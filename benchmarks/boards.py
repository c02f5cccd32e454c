"""Measure how long a lead waits for home, the list of queues and a board, with a million reviews in 200 queues."""

import json
import statistics

from benchmarks.browser import Browser
from benchmarks.environment import fresh_environment, min_max

REVIEWS, PEOPLE, QUEUES, RUNS, OPENS = 1_000_000, 50, 200, 5, 20
PAGES = {
    "home": "/p/bench/",
    "queue_list": "/p/bench/queues/",
    "board": "/p/bench/queues/queue-150/",
    "board_figures": "/p/bench/queues/queue-150/figures/?summary",
    "figures": "/p/bench/queues/queue-150/figures/",
}


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        board_data = json.loads(environment.run("-m", "benchmarks.board_data", *map(str, (REVIEWS, PEOPLE, QUEUES))))
        with environment.web() as url:
            browser = Browser(url)
            browser.sign_in(board_data["person"], board_data["password"])
            times = {name: [_time_page(browser, path) for _ in range(RUNS)] for name, path in PAGES.items()}
    return {
        "name": "boards",
        "work": f"{REVIEWS:,} reviews by {PEOPLE} people in {QUEUES} queues, 20,000 items pending; each page over "
        f"HTTP as a lead; medians of {RUNS} runs of {OPENS}, on {'PostgreSQL' if database else 'SQLite'}",
        **{f"{name}_ms": round(statistics.median(runs), 1) for name, runs in times.items()},
        "count_s": board_data["count_s"],
        "spread": {name: min_max(runs) for name, runs in times.items()},
    }


def _time_page(browser: Browser, path: str) -> float:
    """The median of the milliseconds of OPENS requests. Raises RuntimeError for an error page."""
    pages = [browser.get(path) for _ in range(OPENS)]
    if any(page.status != 200 for page in pages):
        raise RuntimeError(f"{path} answered {pages[-1].status}.")
    return statistics.median(page.ms for page in pages)
