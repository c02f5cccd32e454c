"""Fixtures for webhooks: a real HTTP endpoint that verifies, and a webhook of the project that leads to it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import LazySettings

from reviewapp.accounts.models import Project, User
from reviewapp.webhooks import subscriptions
from reviewapp.webhooks.models import SUBSCRIBABLE, Shape, Webhook
from reviewapp.webhooks.subscriptions import Subscription

# Status, body, and headers of an answer, for the number of requests so far.
Script = Callable[[int], tuple[int, bytes, dict[str, str]]]


@dataclass
class Endpoint:
    """A running endpoint. `requests` are the headers, in lower case, and the body of each request."""

    url: str
    script: Script
    requests: list[tuple[dict[str, str], str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.url.split("/")[2]


def accept(number: int) -> tuple[int, bytes, dict[str, str]]:
    return 200, b"thanks", {}


@contextlib.contextmanager
def run_endpoint(script: Script = accept) -> Iterator[Endpoint]:
    """Serve an endpoint on a real socket until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            running.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status, answer, headers = running.script(len(running.requests))
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    running = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/hooks?team=a", script)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()


def add_webhook(project: Project, admin: User, url: str, **fields: object) -> tuple[Webhook, str]:
    """Create a webhook for every event, and load the events of the project again."""
    events = [event.value for event in SUBSCRIBABLE]
    values = {"url": url, "shape": Shape.STANDARD.value, "events": events, "queue_id": None, **fields}
    webhook, secret = subscriptions.create_webhook(project, Subscription(**values), admin)  # type: ignore[arg-type]
    project.refresh_from_db()
    return webhook, secret


@pytest.fixture
def endpoint(settings: LazySettings) -> Iterator[Endpoint]:
    with run_endpoint() as running:
        settings.ALLOWED_WEBHOOK_HOSTS = frozenset([running.host])
        yield running
