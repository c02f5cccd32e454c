"""A Laminar that misbehaves as it is told, and writes down all it sees: `python -m tests.faults.sink --log FILE`.

Told by `POST /control`, also while it runs, with any of `{"rules": [...], "keys": [...] or null}`; `GET /control`
answers what it holds. The first rule that fits a request acts. A rule is an object:

    name                  what the log calls it
    on                    metadata, query, tag or project; all of them without it
    traces                ids of traces it is for
    times, every, chance  acts so often and no more; at each N-th request only; with a chance
    status, body, headers the answer in place of Laminar's own; values are applied with an answer of our own 200 only
    delay                 seconds before anything happens
    apply                 "now", "never", seconds later, or "behind": after the next patch of the trace, or 5 seconds
    replay                applied a second time so many seconds later
    close                 the connection breaks "before" or "after" the values are applied
    silent, drip, endless never answers; so many seconds for each byte; a body without end

The log has one JSON object per line: `at` (seconds since 1970), `n` (the number of the request), `what` (asked,
answered, gone, applied), `on`, `trace`, `metadata`, `status`, `fault`, and of what was asked the client's `port`.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any, TextIO

PATHS = {"/v1/traces/metadata": "metadata", "/v1/sql/query": "query", "/v1/tag": "tag", "/v1/project": "project"}
PROJECT = "0b0f3a52-6f0e-4b52-9d5a-2f6f6f1d9a10"
ROW = {"start_time": "2026-01-02 03:04:05.000000000", "end_time": "2026-01-02 03:04:06.000000000"}
BEHIND = 5.0

Rule = dict[str, Any]


@dataclass(slots=True)
class Request:
    """One request, its body read; `n` is its place among all."""

    n: int
    on: str
    path: str
    key: str
    body: dict[str, Any]

    @property
    def trace(self) -> str:
        return str(self.body.get("traceId", ""))


@dataclass(slots=True)
class Sink:
    """What the far side holds, by what rules it answers, and its log."""

    log: TextIO
    rules: list[Rule] = field(default_factory=list)
    keys: list[str] | None = None
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Patches that wait to be applied behind the next one of their trace.
    behind: dict[str, list[tuple[Request, dict[str, Any]]]] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def note(self, what: str, request: Request, **more: Any) -> None:
        metadata = {"metadata": request.body.get("metadata")} if what in ("asked", "applied") else {}
        told = {"at": time.time(), "n": request.n, "what": what, "on": request.on, "trace": request.trace}
        self.log.write(json.dumps(told | metadata | more) + "\n")

    def rule_for(self, request: Request) -> Rule:
        """The first rule that fits, counted as used; an empty one when all goes well."""
        for rule in self.rules:
            if rule.get("on", request.on) != request.on or rule.get("times", 1) <= 0:
                continue
            if "traces" in rule and request.trace not in rule["traces"]:
                continue
            rule["seen"] = rule.get("seen", 0) + 1
            if rule["seen"] % rule.get("every", 1) or random.random() >= rule.get("chance", 1):
                continue
            if "times" in rule:
                rule["times"] -= 1
            return rule
        return {}

    def answer(self, request: Request) -> tuple[int, bytes]:
        """What Laminar would answer."""
        if self.keys is not None and request.key not in self.keys:
            return 401, b""
        if request.on == "project":
            return 200, json.dumps({"projectId": PROJECT}).encode()
        if request.on == "query":
            ids = request.body.get("parameters", {}).get("ids", [])
            rows = [{"id": trace, "metadata": json.dumps(self.held.get(trace, {})), **ROW} for trace in ids]
            return 200, json.dumps({"data": rows}).encode()
        return (200, b"") if request.on else (404, b"")

    def apply(self, request: Request, fault: str = "") -> None:
        self.held.setdefault(request.trace, {}).update(request.body["metadata"])
        self.note("applied", request, fault=fault)
        for late, rule in self.behind.pop(request.trace, []):
            self.apply(late, rule.get("name", ""))

    def apply_by(self, rule: Rule, request: Request) -> None:
        """Apply a patch as the rule says: now, late, behind the next, again, or never."""
        how, name, loop = rule.get("apply", "now"), rule.get("name", ""), asyncio.get_running_loop()
        if how == "now":
            self.apply(request, name)
        elif how == "behind":
            self.behind.setdefault(request.trace, []).append((request, rule))
            loop.call_later(BEHIND, self._catch_up, request)
        elif how != "never":
            loop.call_later(how, self.apply, request, name)
        if "replay" in rule:
            loop.call_later(rule["replay"], self.apply, request, name)

    def tell(self, told: dict[str, Any]) -> None:
        self.rules = told.get("rules", self.rules)
        self.keys = told.get("keys", self.keys)

    def _catch_up(self, request: Request) -> None:
        waiting = self.behind.get(request.trace, [])
        late = [pair for pair in waiting if pair[0] is request]
        for pair in late:
            waiting.remove(pair)
            self.apply(request, pair[1].get("name", ""))


class Wire(asyncio.Protocol):
    """One connection: its requests one after another."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.buffer = b""
        self.asked: Request | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)
        if self.asked is not None:
            self.sink.note("gone", self.asked)

    def data_received(self, data: bytes) -> None:
        if data[:1] == b"\x16":
            # A client that would speak TLS: answered in plain words, as any server does.
            self._write(400, b"", {})
            self.transport.close()
            return
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        method, path, _ = first.split(" ")
        body = json.loads(rest[:length] or b"{}")
        if path == "/control":
            self._control(method, body)
            return
        key = headers.get("authorization", "").removeprefix("Bearer ")
        request = Request(next(self.sink.numbers), PATHS.get(path, ""), path, key, body)
        task = asyncio.get_running_loop().create_task(self._serve(request))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _control(self, method: str, told: dict[str, Any]) -> None:
        if method == "POST":
            self.sink.tell(told)
        self._write(200, json.dumps({"held": self.sink.held, "rules": self.sink.rules}).encode(), {})

    async def _serve(self, request: Request) -> None:
        sink, rule = self.sink, self.sink.rule_for(request)
        self.asked = request
        port = self.transport.get_extra_info("peername")[1]
        sink.note("asked", request, fault=rule.get("name", ""), port=port)
        await asyncio.sleep(rule.get("delay", 0))
        if rule.get("silent"):
            await self.lost
            return
        if rule.get("close") == "before":
            self.transport.abort()
            return
        status, content = sink.answer(request)
        if "status" in rule:
            status, content = rule["status"], rule.get("body", "").encode()
        if request.on == "metadata" and ("apply" in rule or (status == 200 and "status" not in rule)):
            sink.apply_by(rule, request)
        if rule.get("close") == "after":
            self.transport.abort()
            return
        if rule.get("endless") or "drip" in rule:
            await self._dawdle(rule, request)
        elif not self.lost.done():
            # Noted first: what the client does next may come before the next line here.
            self.asked = None
            sink.note("answered", request, status=status)
            self._write(status, content, rule.get("headers", {}))

    async def _dawdle(self, rule: Rule, request: Request) -> None:
        """Answer byte by byte, or without end, as long as somebody listens."""
        length = 1 << 40 if rule.get("endless") else 100
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
        while not self.lost.done():
            self.transport.write(b" " * (65_536 if rule.get("endless") else 1))
            await asyncio.sleep(rule.get("drip", 0.001))

    def _write(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {headers[name]}" for name in headers)]
        if status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(content)}")
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + content)


async def serve(log: Path, port: int, script: str) -> None:
    """Serve until told to stop; the address is printed first."""
    with log.open("a", buffering=1) as lines:
        sink = Sink(lines)
        sink.tell(json.loads(script))
        server = await asyncio.get_running_loop().create_server(lambda: Wire(sink), "127.0.0.1", port, backlog=1024)
        sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


def read_log(log: Path) -> Iterable[dict[str, Any]]:
    """The log, line by line; a last line that is still being written is left out."""
    for line in log.read_text().splitlines():
        if line.endswith("}"):
            yield json.loads(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A Laminar that misbehaves as it is told.")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", default="{}", help="what POST /control takes, as JSON")
    given = parser.parse_args()
    asyncio.run(serve(given.log, given.port, given.script))
