"""How long a lead waits for a filter view, from ten thousand traces to a million, and what the index takes on disk."""

import json
import statistics
from typing import Any
from urllib.parse import urlencode

from benchmarks.browser import Browser
from benchmarks.environment import Environment, fresh_environment, min_max

SIZES, RUNS, OPENS = (10_000, 100_000, 1_000_000), 5, 20
VIEW = urlencode([("m", "region=us-west"), ("m", "environment=production")])


def run(database: str | None) -> dict[str, object]:
    found = {f"{size:_}": _at(size, database) for size in SIZES}
    small, large = (found[f"{size:_}"] for size in (SIZES[0], SIZES[-1]))
    return {
        "name": "filter",
        "work": "traces of 5.7 metadata values each, put in by bulk; the first page of 50 of region=us-west and "
        "environment=production, and other views, by the functions of the page, and the whole page over HTTP; "
        f"medians of {RUNS} runs of 25, on {'PostgreSQL' if database else 'SQLite'}",
        "growth": round(large["first_ms"] / small["first_ms"], 2),
        **found,
    }


def _at(size: int, database: str | None) -> dict[str, Any]:
    with fresh_environment(database) as place:
        made = json.loads(place.run("-m", "benchmarks.mirror_data", str(size)))
        runs = [json.loads(place.run("-m", "benchmarks.filter_timing")) for _ in range(RUNS)]
        pages = _pages(place, made)
    figures = {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
    return {
        **figures,
        "spread": {name: min_max([run[name] for run in runs]) for name in figures},
        "http_ms": round(statistics.median(pages), 2),
        **{name: made[name] for name in ("row_bytes", "index_bytes")},
    }


def _pages(place: Environment, made: dict[str, str]) -> list[float]:
    with place.web() as url:
        browser = Browser(url)
        browser.sign_in(made["person"], made["password"])
        times = [browser.get(f"/p/{made['project']}/traces/?{VIEW}").ms for _ in range(OPENS + 3)]
    return times[3:]
