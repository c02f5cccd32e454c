"""Restart two web nodes in turn behind a load balancer, while people read and save, and count what failed."""

import http.client
import itertools
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models exist only after setup

from benchmarks.browser import Browser, Response  # noqa: E402
from benchmarks.environment import wait_for  # noqa: E402
from reviewapp.queues.models import QueueItem  # noqa: E402
from reviewapp.reviews.models import Review  # noqa: E402
from tests.faults.database_state import create_test_data, signed_in_browser  # noqa: E402
from tests.faults.load_balancers import NAMES, run_load_balancer  # noqa: E402
from tests.faults.processes import ForkServer, Web, run_fork_server, run_web  # noqa: E402
from tests.faults.reviewers import make_form_data  # noqa: E402

# Nothing listens there: saves do not need Laminar.
UNREACHABLE_URL = "http://127.0.0.1:9"
VISITORS, ITEMS = 16, 160
# Seconds from a restarted node's being ready to the next restart, in which the load balancer notices it.
PAUSE = 3.0
DRAIN_SECONDS = "2"


@dataclass(slots=True)
class Load:
    """Visitors who send `rate` requests a second together, each a read or a save in turn, until `is_over`."""

    url: str
    items: list[int]
    rate: float
    requests: int = 0
    saves: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    is_over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def run(self) -> Iterator[None]:
        browsers = [signed_in_browser(f"reviewer-{number}", self.url) for number in range(VISITORS)]
        threads = [threading.Thread(target=self._visit, args=(n, browser)) for n, browser in enumerate(browsers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join()

    def _visit(self, number: int, browser: Browser) -> None:
        items = itertools.cycle(self.items[number::VISITORS])
        versions = dict.fromkeys(self.items, 0)
        pause = VISITORS / self.rate
        due = time.monotonic() + pause * number / VISITORS
        while not self.is_over.wait(max(0.0, due - time.monotonic())):
            due = max(due + pause, time.monotonic())
            item = next(items)
            self._send(browser, "GET", f"/p/support/items/{item}/", 200)
            if self.is_over.wait(max(0.0, due - time.monotonic())):
                return
            due = max(due + pause, time.monotonic())
            if self._send(browser, "POST", f"/p/support/items/{item}/", 302, versions[item]):
                versions[item] += 1

    def _send(self, browser: Browser, method: str, path: str, status: int, version: int = 0) -> bool:
        """Send a request once. Returns whether it was answered as expected."""
        started = time.monotonic()
        try:
            response = browser.get(path) if method == "GET" else self._save(browser, path, version)
            failure = "" if response.status == status else f"{response.status}: {response.body[:200]}"
        except (OSError, http.client.HTTPException) as error:
            browser.connection, failure = None, repr(error)
        with self.lock:
            self.requests += 1
            self.saves += method == "POST" and not failure
            self.slowest = max(self.slowest, time.monotonic() - started)
            if failure:
                self.failures.append(f"{method} {path}: {failure}")
        return not failure

    def _save(self, browser: Browser, path: str, version: int) -> Response:
        return browser.post(path, make_form_data(str(version), f"Note {'x' * version}", uuid4()))


def measure_restarts(
    name: str, fork_server: ForkServer, items: list[int], restarts: int, rate: float
) -> dict[str, object]:
    """Restart nodes behind `nginx` or `caddy` under load. Returns the figures that `report.RESTART_ROWS` lists."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(run_web(fork_server)) for _ in range(2)]
        url = stack.enter_context(run_load_balancer(name, [node.port for node in nodes]))
        load = Load(url, items, rate)
        started = time.monotonic()
        with load.run():
            for number in range(restarts):
                restart(nodes[number % 2], fork_server)
                time.sleep(PAUSE)
            seconds = time.monotonic() - started
    for line in load.failures[:20]:
        sys.stderr.write(f"{name}: {line}\n")
    return {
        "restarts": restarts, "requests": load.requests, "rate": round(load.requests / seconds, 1),
        "failed": len(load.failures), "saves": load.saves, "slowest_s": round(load.slowest, 2),
    }  # fmt: skip


def restart(node: Web, fork_server: ForkServer) -> None:
    """Stop a node as systemd does, wait until it has ended, start it and wait until it is ready."""
    os.kill(node.pid, signal.SIGTERM)
    fork_server.wait(node.pid, 60)
    node.start()
    wait_for(f"{node.url}/ready")


def main(restarts: int, rate: float, names: Sequence[str] = NAMES) -> dict[str, object]:
    """Run everything on the database that the environment sets. Returns the figures of each of these balancers."""
    call_command("migrate", verbosity=0)
    create_test_data(UNREACHABLE_URL, ITEMS * len(names), VISITORS)
    pks = list(QueueItem.objects.order_by("pk").values_list("pk", flat=True))
    figures: dict[str, object] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        run_fork_server(Path(folder), DRAIN_SECONDS=DRAIN_SECONDS) as fork_server,
    ):
        for number, name in enumerate(names):
            before = Review.objects.count()
            result = measure_restarts(name, fork_server, pks[number * ITEMS :][:ITEMS], restarts, rate)
            stored = Review.objects.count() - before
            figures[name] = result | {"missing_saves": int(str(result["saves"])) - stored}
    return figures


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:] or NAMES)) + "\n")
