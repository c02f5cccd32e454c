"""Measure how long a save takes while fifty views ask a Laminar that never answers and fifty requests are half sent."""

import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks import fake_laminar
from benchmarks.browser import Browser
from benchmarks.environment import fresh_environment, min_max
from benchmarks.save import time_saves

ITEMS, CLIENTS, SAVES, RUNS = 4_000, 4, 50, 5
VIEWS, HALF_REQUESTS = 50, 50
# Seconds after which a viewer asks again, and a half request is sent anew.
PAUSE = 10.0
LIST, ANSWER = "/p/bench/traces/?source=laminar", "/p/bench/traces/laminar/?source=laminar"
HALF_REQUEST = b"POST /p/bench/items/1/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nversion="


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment, fake_laminar.run_fake_laminar(0) as laminar_url:
        environment.env["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), str(CLIENTS)))
        environment.run("-m", "benchmarks.outbox_data", laminar_url, "0")
        fake_laminar.set_mode(laminar_url, "slow")
        with environment.web() as url:
            browsers = [Browser(url) for _ in range(CLIENTS)]
            for browser, name in zip(browsers, queue_data["people"], strict=True):
                browser.sign_in(name, queue_data["password"])
            quiet = [_time_all_saves(browsers, queue_data) for _ in range(RUNS)]
            pages: list[float] = []
            with _open_views(url, browsers[0].cookies, pages), _send_half_requests(url):
                time.sleep(2)
                loaded = [_time_all_saves(browsers, queue_data) for _ in range(RUNS)]
    p99 = [statistics.quantiles(times, n=100)[98] for times in loaded]
    return {
        "name": "silent",
        "work": f"{CLIENTS} reviewers submit {SAVES} reviews each over HTTP while {VIEWS} views ask a Laminar that "
        f"never answers, each again {PAUSE:.0f} s after its answer, and {HALF_REQUESTS} requests are half sent; "
        f"{RUNS} runs",
        "p50_ms": round(statistics.median(statistics.median(times) for times in loaded), 1),
        "p99_ms": round(statistics.median(p99), 1),
        "quiet_p50_ms": round(statistics.median(statistics.median(times) for times in quiet), 1),
        "quiet_p99_ms": round(statistics.median(statistics.quantiles(times, n=100)[98] for times in quiet), 1),
        "page_p50_ms": round(statistics.median(pages), 1),
        "spread": {"p99_ms": min_max(p99)},
    }


def _time_all_saves(browsers: list[Browser], queue_data: dict[str, str]) -> list[float]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = list(pool.map(lambda browser: time_saves(browser, queue_data, SAVES), browsers))
    return [ms for client_times in times for ms in client_times]


@contextmanager
def _open_views(url: str, cookies: dict[str, str], pages: list[float]) -> Iterator[None]:
    """Keep the views open until the block ends; `pages` gets the milliseconds of each page without its answer."""
    is_over = threading.Event()

    def look() -> None:
        browser = Browser(url, dict(cookies))
        while not is_over.is_set():
            page = browser.get(LIST)
            pages.append(page.ms)
            answer = browser.get(ANSWER)
            if (page.status, answer.status) != (200, 200):
                raise RuntimeError(f"A view got status {page.status} and {answer.status}.")
            is_over.wait(PAUSE)

    with ThreadPoolExecutor(VIEWS) as threads:
        viewers = [threads.submit(look) for _ in range(VIEWS)]
        try:
            yield
        finally:
            is_over.set()
            for viewer in viewers:
                viewer.result()


@contextmanager
def _send_half_requests(url: str) -> Iterator[None]:
    """Keep half requests open until the block ends; the server closes each after some time."""
    is_over = threading.Event()
    address = (str(urlsplit(url).hostname), urlsplit(url).port or 80)

    def send() -> None:
        while not is_over.is_set():
            with socket.create_connection(address) as client:
                client.sendall(HALF_REQUEST)
                is_over.wait(PAUSE)

    with ThreadPoolExecutor(HALF_REQUESTS) as threads:
        clients = [threads.submit(send) for _ in range(HALF_REQUESTS)]
        try:
            yield
        finally:
            is_over.set()
            for client in clients:
                client.result()
