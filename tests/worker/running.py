"""Run workers in this process until a condition is true, against a fake Laminar that answers by a script."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections

from reviewapp.delivery.models import Patch
from reviewapp.worker.loop import Worker

# Status and JSON body; None is an empty body.
Response = tuple[int, object]
# Called with the path and the JSON body of a request.
Script = Callable[[str, dict[str, Any]], Response]


def run_workers(
    until: Callable[[], bool], *, workers: int = 1, seconds: float = 60, make_worker: Callable[[], Worker] = Worker
) -> None:
    """Run workers until a condition is true. Raises TimeoutError if it is not within `seconds`."""
    asyncio.run(_run_until(until, [make_worker() for _ in range(workers)], seconds))


def patch_states(*patches: Patch) -> list[str]:
    """Return the states of these patches, or of all patches, in order of primary key."""
    rows = Patch.objects.filter(pk__in=[patch.pk for patch in patches]) if patches else Patch.objects.all()
    return list(rows.order_by("pk").values_list("state", flat=True))


def all_patches_are(state: str) -> Callable[[], bool]:
    """Return a condition: every patch is in this state."""
    return lambda: set(patch_states()) == {state}


@dataclass
class FakeLaminar:
    """A Laminar that records its requests (monotonic time, path, body) and answers by its script."""

    url: str
    script: Script
    requests: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    active_requests: int = 0
    max_active_requests: int = 0

    @property
    def pushes(self) -> list[tuple[UUID, Mapping[str, Any]]]:
        """The trace id and metadata of each push, in order."""
        return [
            (UUID(body["traceId"]), body["metadata"]) for _, path, body in self.requests if path.endswith("/metadata")
        ]


@contextlib.contextmanager
def fake_laminar(script: Script) -> Iterator[FakeLaminar]:
    """Serve a fake Laminar on a real socket until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                laminar.requests.append((time.monotonic(), self.path, body))
                laminar.keys.append(self.headers["Authorization"].removeprefix("Bearer "))
                laminar.active_requests += 1
                laminar.max_active_requests = max(laminar.max_active_requests, laminar.active_requests)
            status, response = laminar.script(self.path, body)
            with lock:
                laminar.active_requests -= 1
            content = b"" if response is None else json.dumps(response).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
            pass

    class Server(ThreadingHTTPServer):
        # A worker opens many connections at once.
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    laminar = FakeLaminar(f"http://127.0.0.1:{server.server_address[1]}", script)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield laminar
    finally:
        server.shutdown()
        server.server_close()


async def _run_until(until: Callable[[], bool], workers: Sequence[Worker], seconds: float) -> None:
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        async with asyncio.timeout(seconds):
            while not await sync_to_async(until)():
                await asyncio.sleep(0.02)
    finally:
        for worker in workers:
            worker.stop.set()
        await asyncio.gather(*tasks)
        await sync_to_async(connections.close_all)()
