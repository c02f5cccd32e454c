"""A worker at work: in this process until something holds, and a Laminar that answers as a script says."""

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

Answer = tuple[int, object]
# Of one request: its path and its body.
Script = Callable[[str, dict[str, Any]], Answer]


def run_workers(
    until: Callable[[], bool], *, workers: int = 1, seconds: float = 15, make_worker: Callable[[], Worker] = Worker
) -> None:
    """Run workers until something holds; fails when it does not in time."""
    asyncio.run(_work(until, [make_worker() for _ in range(workers)], seconds))


def patch_states(*patches: Patch) -> list[str]:
    """The states of these patches, or of all in order."""
    rows = Patch.objects.filter(pk__in=[patch.pk for patch in patches]) if patches else Patch.objects.all()
    return list(rows.order_by("pk").values_list("state", flat=True))


def all_patches_are(state: str) -> Callable[[], bool]:
    """Whether every patch has come so far."""
    return lambda: set(patch_states()) == {state}


@dataclass
class FakeLaminar:
    """A Laminar that keeps what was asked of it, and answers by its script."""

    url: str
    script: Script
    requests: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    under_way: int = 0
    max_under_way: int = 0

    @property
    def pushes(self) -> list[tuple[UUID, Mapping[str, Any]]]:
        """Each push in order: trace and metadata."""
        return [
            (UUID(body["traceId"]), body["metadata"]) for _, path, body in self.requests if path.endswith("/metadata")
        ]


@contextlib.contextmanager
def fake_laminar(script: Script) -> Iterator[FakeLaminar]:
    """Serve on a real socket until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                far.requests.append((time.monotonic(), self.path, body))
                far.keys.append(self.headers["Authorization"].removeprefix("Bearer "))
                far.under_way += 1
                far.max_under_way = max(far.max_under_way, far.under_way)
            status, said = far.script(self.path, body)
            with lock:
                far.under_way -= 1
            content = b"" if said is None else json.dumps(said).encode()
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
    far = FakeLaminar(f"http://127.0.0.1:{server.server_address[1]}", script)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield far
    finally:
        server.shutdown()
        server.server_close()


async def _work(until: Callable[[], bool], workers: Sequence[Worker], seconds: float) -> None:
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        async with asyncio.timeout(seconds):
            while not await sync_to_async(until)():
                await asyncio.sleep(0.02)
    finally:
        for worker in workers:
            worker.stop.set()
        await asyncio.gather(*running)
        await sync_to_async(connections.close_all)()
