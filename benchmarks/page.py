"""How many bytes the review page takes: on first load with all it refers to, and for each next item."""

import json
import re
import statistics

from benchmarks.browser import Browser, make_review_fields
from benchmarks.environment import fresh_environment, min_max

ITEMS, NEXT, RUNS = 200, 10, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as place:
        desk = json.loads(place.run("-m", "benchmarks.queue_data", str(ITEMS), "1"))
        with place.web() as url:
            runs = [_one_run(url, desk) for _ in range(RUNS)]
    first, following = [run[0] for run in runs], [run[1] for run in runs]
    return {
        "name": "page",
        "work": f"the review page of a trace of 5 spans and 15 KB with every file it names, as sent (gzip), nothing "
        f"cached; then {NEXT} submits by htmx, each answered with the next item; {RUNS} runs",
        "bytes_first": round(statistics.median(first)),
        "bytes_next": round(statistics.median(following)),
        "spread": {"bytes_first": min_max(first), "bytes_next": min_max(following)},
    }


def _one_run(url: str, desk: dict[str, str]) -> tuple[float, float]:
    browser = Browser(url)
    browser.sign_in(desk["people"][0], desk["password"])
    opened = browser.get(f"/p/{desk['project']}/queues/{desk['queue']}/review/")
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', opened.body))
    files |= {found for file in list(files) if file.endswith(".js") for found in _imported(browser, file)}
    first = opened.bytes_received + sum(browser.get(file).bytes_received for file in files)
    sizes, where, page = [], opened.location, opened.body
    for number in range(NEXT):
        answer = browser.post(where, make_review_fields(page, number), htmx=True)
        sizes.append(answer.bytes_received)
        page = answer.body
        where = next(iter(re.findall(r'action="(/p/[^"]+/items/\d+/)" id="review"', page)))
    return first, statistics.median(sizes)


def _imported(browser: Browser, file: str) -> set[str]:
    folder = file.rsplit("/", 1)[0]
    return {f"{folder}/{name}" for name in re.findall(r'from\s*"\./([^"]+)"', browser.get(file).body)}
