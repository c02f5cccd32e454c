"""A fake Laminar that accepts pushes as fast as one process can, after a delay, in one of several modes.

`python -m benchmarks.fake_laminar DELAY_MS` prints its URL. `POST /mode` sets the mode: `steady`, `slow` (never
answers), `flood` (429) or `broken` (500). A patch with the key `poison` gets a 500 in every mode. `GET /counts` returns
the number of accepted pushes and the times of the first and the last (Unix seconds). `POST /reset` clears these times.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from subprocess import PIPE, Popen
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.environment import ROOT

PROJECT = "00000000-0000-4000-8000-000000000001"
NEVER_SECONDS = 3_600.0


@dataclass(slots=True)
class State:
    """The mode and what was pushed so far; `delay` is in seconds."""

    delay: float
    mode: str = "steady"
    pushes: int = 0
    first: float = 0.0
    last: float = 0.0
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with sequential requests, as clients with a connection pool send them."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        _, path, _ = head.split(b" ", 2)
        status, body, delay = self._handle(path.decode(), rest[:length])
        asyncio.get_running_loop().call_later(delay, self._send_response, status, body)

    def _handle(self, path: str, body: bytes) -> tuple[int, bytes, float]:
        state = self.state
        if path == "/counts":
            counts = {"pushes": state.pushes, "first": state.first, "last": state.last}
            return 200, json.dumps(counts).encode(), 0.0
        if path == "/reset":
            state.first = state.last = 0.0
            return 200, b"", 0.0
        if path == "/mode":
            state.mode = body.decode()
            return 200, b"", 0.0
        if path == "/v1/project":
            return 200, json.dumps({"projectId": PROJECT}).encode(), 0.0
        if state.mode in ("flood", "broken"):
            return (429 if state.mode == "flood" else 500), b"", 0.0
        if state.mode == "slow":
            return 200, b"", NEVER_SECONDS
        if path == "/v1/sql/query":
            return 200, json.dumps({"data": list(self._build_rows(json.loads(body)))}).encode(), state.delay
        patch = json.loads(body)
        if "poison" in patch["metadata"]:
            return 500, b"", state.delay
        state.metadata.setdefault(patch["traceId"], {}).update(patch["metadata"])
        state.last = time.time()
        state.first = state.first or state.last
        state.pushes += 1
        return 200, b"", state.delay

    def _build_rows(self, query: dict[str, Any]) -> Iterator[dict[str, str]]:
        for trace_id in query["parameters"].get("ids", []):
            if trace_id in self.state.metadata:
                text = json.dumps(self.state.metadata[trace_id], separators=(",", ":"))
                yield {
                    "id": trace_id, "metadata": text, "start_time": "2026-01-02 03:04:05.000000000",
                    "end_time": "2026-01-02 03:04:06.000000000",
                }  # fmt: skip

    def _send_response(self, status: int, body: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


@contextmanager
def run_fake_laminar(delay_ms: float) -> Iterator[str]:
    """Run a fake Laminar in its own process. Yields its URL."""
    with Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.fake_laminar", str(delay_ms)], cwd=ROOT, stdout=PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def fetch_counts(url: str) -> dict[str, float]:
    """Return the number of accepted pushes and the Unix times of the first and the last."""
    with urlopen(f"{url}/counts") as response:  # noqa: S310 - our own loopback address
        counts: dict[str, float] = json.loads(response.read())
        return counts


def reset_times(url: str) -> None:
    """Clear the times of the first and the last push."""
    urlopen(Request(f"{url}/reset", method="POST")).close()  # noqa: S310


def set_mode(url: str, mode: str) -> None:
    urlopen(Request(f"{url}/mode", data=mode.encode(), method="POST")).close()  # noqa: S310


async def _serve(delay: float) -> None:
    state = State(delay)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000))
