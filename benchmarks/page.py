"""Measure the bytes of the review page: on first load with all its files, and for each next item."""

import json
import re
import statistics

from benchmarks.browser import Browser, make_review_fields
from benchmarks.environment import fresh_environment, min_max

ITEMS, NEXT, RUNS = 200, 10, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), "1"))
        with environment.web() as url:
            runs = [_one_run(url, queue_data) for _ in range(RUNS)]
    first_bytes, next_sizes = [run[0] for run in runs], [run[1] for run in runs]
    return {
        "name": "page",
        "work": f"the review page of a trace of 5 spans and 15 KB with all its files, as sent (gzip), nothing "
        f"cached; then {NEXT} submits by htmx, each returning the next item; {RUNS} runs",
        "bytes_first": round(statistics.median(first_bytes)),
        "bytes_next": round(statistics.median(next_sizes)),
        "spread": {"bytes_first": min_max(first_bytes), "bytes_next": min_max(next_sizes)},
    }


def _one_run(url: str, queue_data: dict[str, str]) -> tuple[float, float]:
    browser = Browser(url)
    browser.sign_in(queue_data["people"][0], queue_data["password"])
    first_page = browser.get(f"/p/{queue_data['project']}/queues/{queue_data['queue']}/review/")
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', first_page.body))
    first_bytes = first_page.bytes_received + _load_files(browser, files)
    sizes, url_path, page = [], first_page.location, first_page.body
    for number in range(NEXT):
        response = browser.post(url_path, make_review_fields(page, number), htmx=True)
        sizes.append(response.bytes_received)
        page = response.body
        url_path = next(iter(re.findall(r'action="(/p/[^"]+/items/\d+/)" id="review"', page)))
    return first_bytes, statistics.median(sizes)


def _load_files(browser: Browser, files: set[str]) -> int:
    """Load files and all modules they import. Returns their bytes."""
    size, loaded, remaining = 0, set(files), list(files)
    while remaining:
        file = remaining.pop()
        response, folder = browser.get(file), file.rsplit("/", 1)[0]
        size += response.bytes_received
        imports = re.findall(r'from\s*"\./([^"]+)"', response.body) if file.endswith(".js") else []
        new = {f"{folder}/{name}" for name in imports} - loaded
        loaded |= new
        remaining += new
    return size
