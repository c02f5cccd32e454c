"""From the key that submits to the next item painted, in a real browser; and what the page costs on the way."""

import json
import statistics

from playwright.sync_api import CDPSession, Page

from benchmarks.browser import Browser
from benchmarks.chromium import answer_item, open_next_item, open_reviewer_page
from benchmarks.environment import fresh_environment, min_max

ITEMS, ANSWERS, RUNS, SPANS, OPENS = 10_000, 30, 5, 50, 40
READING = 1.0  # seconds


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as place:
        desk = json.loads(place.run("-m", "benchmarks.queue_data", str(ITEMS), "1"))
        with place.web() as url:
            runs = [_in_browser(url, desk) for _ in range(RUNS)]
    with fresh_environment(database) as place:
        desk = json.loads(place.run("-m", "benchmarks.queue_data", str(OPENS), "1", str(SPANS)))
        with place.web() as url:
            server = [_on_server(url, desk) for _ in range(RUNS)]
    times = [sorted(times) for times, _, _ in runs]
    p50 = [statistics.median(each) for each in times]
    p95 = [statistics.quantiles(each, n=20)[18] for each in times]
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


def _in_browser(url: str, desk: dict[str, str]) -> tuple[list[float], float, float]:
    """The milliseconds of each answer, the bytes received for each, and the sum of layout shifts."""
    with open_reviewer_page(url, desk) as page:
        open_next_item(page, url, desk)
        received = _counting(page)
        for number in range(ANSWERS):
            answer_item(page, str(number % 5 + 1), reading=READING)
        page.wait_for_load_state("networkidle")
        times: list[float] = page.evaluate("bench.times")
        shift: float = page.evaluate("bench.shift")
        return times, sum(received) / ANSWERS, shift


def _counting(page: Page) -> list[float]:
    """A list to which each answer from the network adds its bytes, as sent."""
    received: list[float] = []
    session: CDPSession = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    return received


def _on_server(url: str, desk: dict[str, str]) -> float:
    browser = Browser(url)
    browser.sign_in(desk["people"][0], desk["password"])
    opened = browser.get(f"/p/{desk['project']}/queues/{desk['queue']}/review/")
    return statistics.median(browser.get(opened.location).ms for _ in range(OPENS))
