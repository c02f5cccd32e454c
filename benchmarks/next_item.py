"""Measure the time from the submitting key press to the painted next item in a real browser, and the bytes received."""

import json
import statistics

from playwright.sync_api import CDPSession, Page

from benchmarks.browser import Browser
from benchmarks.chromium import answer_item, open_next_item, open_reviewer_page
from benchmarks.environment import fresh_environment, min_max

ITEMS, ANSWERS, RUNS, SPANS, OPENS = 10_000, 30, 5, 50, 40
READING = 1.0  # seconds


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), "1"))
        with environment.web() as url:
            runs = [_time_in_browser(url, queue_data) for _ in range(RUNS)]
    with fresh_environment(database) as environment:
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(OPENS), "1", str(SPANS)))
        with environment.web() as url:
            server = [_time_on_server(url, queue_data) for _ in range(RUNS)]
    times = [sorted(times) for times, _, _ in runs]
    p50 = [statistics.median(run_times) for run_times in times]
    p95 = [statistics.quantiles(run_times, n=20)[18] for run_times in times]
    return {
        "name": "next-item",
        "work": f"{ITEMS:,} items of 5 spans and 15 KB; {ANSWERS} items answered by two keys each, {READING:.0f} s of "
        f"reading before, from the Enter to the frame that shows the next item; the server's own time for an item of "
        f"{SPANS} spans apart; {RUNS} runs",
        "p50_ms": round(statistics.median(p50), 1),
        "p95_ms": round(statistics.median(p95), 1),
        "server_p50_ms": round(statistics.median(server), 1),
        "bytes_next": round(statistics.median(size for _, size, _ in runs)),
        "layout_shift": round(max(shift for _, _, shift in runs), 4),
        "spread": {"p50_ms": min_max(p50), "server_p50_ms": min_max(server)},
    }


def _time_in_browser(url: str, queue_data: dict[str, str]) -> tuple[list[float], float, float]:
    """Return the milliseconds of each answer, the mean bytes received per answer, and the sum of layout shifts."""
    with open_reviewer_page(url, queue_data) as page:
        open_next_item(page, url, queue_data)
        sizes = _record_sizes(page)
        for number in range(ANSWERS):
            answer_item(page, str(number % 5), reading=READING)
        page.wait_for_load_state("networkidle")
        times: list[float] = page.evaluate("bench.times")
        shift: float = page.evaluate("bench.shift")
        return times, sum(sizes) / ANSWERS, shift


def _record_sizes(page: Page) -> list[float]:
    """Return a list to which each network response appends its bytes, as sent."""
    sizes: list[float] = []
    session: CDPSession = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    return sizes


def _time_on_server(url: str, queue_data: dict[str, str]) -> float:
    browser = Browser(url)
    browser.sign_in(queue_data["people"][0], queue_data["password"])
    opened = browser.get(f"/p/{queue_data['project']}/queues/{queue_data['queue']}/review/")
    return statistics.median(browser.get(opened.location).ms for _ in range(OPENS))
