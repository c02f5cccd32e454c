"""A Laminar that only listens: as fast as one process can, after a delay, in one of several moods.

`python -m benchmarks.sink DELAY_MS` prints its address. `POST /mood` with `steady`, `slow`, `flood` or `broken` changes
it; a patch with the key `poison` is answered by 500 in each of them. `GET /counts` tells how many pushes it took, and
when the first and the last came (seconds of its own clock).
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
ENDLESS = 3_600.0


@dataclass(slots=True)
class Heard:
    """What was pushed so far."""

    delay: float
    mood: str = "steady"
    pushes: int = 0
    first: float = 0.0
    last: float = 0.0
    held: dict[str, dict[str, Any]] = field(default_factory=dict)


class Ear(asyncio.Protocol):
    """One connection: requests one after another, as HTTP/1.1 clients of a pool send them."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard
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
        status, body, wait = self._answer(path.decode(), rest[:length])
        asyncio.get_running_loop().call_later(wait, self._say, status, body)

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes, float]:
        heard = self.heard
        if path == "/counts":
            told = {"pushes": heard.pushes, "first": heard.first, "last": heard.last}
            return 200, json.dumps(told).encode(), 0.0
        if path == "/forget":
            heard.first = heard.last = 0.0
            return 200, b"", 0.0
        if path == "/mood":
            heard.mood = body.decode()
            return 200, b"", 0.0
        if path == "/v1/project":
            return 200, json.dumps({"projectId": PROJECT}).encode(), 0.0
        if heard.mood in ("flood", "broken"):
            return (429 if heard.mood == "flood" else 500), b"", 0.0
        if heard.mood == "slow":
            return 200, b"", ENDLESS
        if path == "/v1/sql/query":
            return 200, json.dumps({"data": list(self._rows(json.loads(body)))}).encode(), heard.delay
        patch = json.loads(body)
        if "poison" in patch["metadata"]:
            return 500, b"", heard.delay
        heard.held.setdefault(patch["traceId"], {}).update(patch["metadata"])
        heard.last = time.time()
        heard.first = heard.first or heard.last
        heard.pushes += 1
        return 200, b"", heard.delay

    def _rows(self, query: dict[str, Any]) -> Iterator[dict[str, str]]:
        for trace_id in query["parameters"].get("ids", []):
            if trace_id in self.heard.held:
                text = json.dumps(self.heard.held[trace_id], separators=(",", ":"))
                yield {
                    "id": trace_id, "metadata": text, "start_time": "2026-01-02 03:04:05.000000000",
                    "end_time": "2026-01-02 03:04:06.000000000",
                }  # fmt: skip

    def _say(self, status: int, body: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


@contextmanager
def run_fake_laminar(delay_ms: float) -> Iterator[str]:
    """A sink in a process of its own: its address."""
    with Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.fake_laminar", str(delay_ms)], cwd=ROOT, stdout=PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def fetch_counts(url: str) -> dict[str, float]:
    """How many pushes a sink took, and when."""
    with urlopen(f"{url}/counts") as answer:  # noqa: S310 - our own loopback address
        found: dict[str, float] = json.loads(answer.read())
        return found


def reset_times(url: str) -> None:
    """Let the next push be the first again."""
    urlopen(Request(f"{url}/forget", method="POST")).close()  # noqa: S310


def set_mode(url: str, mood: str) -> None:
    urlopen(Request(f"{url}/mood", data=mood.encode(), method="POST")).close()  # noqa: S310


async def _serve(delay: float) -> None:
    heard = Heard(delay)
    server = await asyncio.get_running_loop().create_server(lambda: Ear(heard), "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000))
