"""Measure how long a lead waits for a filtered trace list of 10,000 to a million traces, and the index's disk size."""

import json
import statistics
from typing import Any
from urllib.parse import urlencode

from benchmarks.browser import Browser
from benchmarks.environment import Environment, fresh_environment, min_max

SIZES, RUNS, OPENS = (10_000, 100_000, 1_000_000), 5, 20
VIEW = urlencode([("m", "region=us-west"), ("m", "environment=production")])


def run(database: str | None) -> dict[str, object]:
    results = {f"{size:_}": _measure_size(size, database) for size in SIZES}
    small, large = (results[f"{size:_}"] for size in (SIZES[0], SIZES[-1]))
    return {
        "name": "filter",
        "work": "traces of 5.7 metadata values each, inserted in bulk; the first page of 50 of region=us-west and "
        "environment=production, and other views: the view's own functions, and the whole page over HTTP; "
        f"medians of {RUNS} runs of 25, on {'PostgreSQL' if database else 'SQLite'}",
        "growth": round(large["first_ms"] / small["first_ms"], 2),
        **results,
    }


def _measure_size(size: int, database: str | None) -> dict[str, Any]:
    with fresh_environment(database) as environment:
        mirror_info = json.loads(environment.run("-m", "benchmarks.mirror_data", str(size)))
        runs = [json.loads(environment.run("-m", "benchmarks.filter_timing")) for _ in range(RUNS)]
        pages = _time_pages(environment, mirror_info)
    figures = {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
    return {
        **figures,
        "spread": {name: min_max([run[name] for run in runs]) for name in figures},
        "http_ms": round(statistics.median(pages), 2),
        **{name: mirror_info[name] for name in ("row_bytes", "index_bytes")},
    }


def _time_pages(environment: Environment, mirror_info: dict[str, str]) -> list[float]:
    with environment.web() as url:
        browser = Browser(url)
        browser.sign_in(mirror_info["person"], mirror_info["password"])
        times = [browser.get(f"/p/{mirror_info['project']}/traces/?{VIEW}").ms for _ in range(OPENS + 3)]
    return times[3:]
