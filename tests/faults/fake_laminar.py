"""A Laminar server that misbehaves by rule and logs all requests: `python -m tests.faults.fake_laminar --log FILE`.

`POST /control` changes it while it runs; the body has any of `{"rules": [...], "keys": [...] or null}`.
`GET /control` returns its metadata and rules. The first rule that matches a request applies. A rule is an object:

    name                  recorded in the log
    endpoint              metadata, query, tag or project; all of them if missing
    traces                ids of the traces it applies to
    times, every, chance  applies at most N times; to every N-th request only; with this probability
    status, body, headers replace Laminar's own response; with `status`, values are applied only if `apply` is set
    delay                 seconds before anything happens
    apply                 "now", "never", a delay in seconds, or "after_next" (the trace's next patch, or 5 seconds)
    replay                apply a second time after this many seconds
    close                 close the connection "before" or "after" the values are applied
    silent, drip, endless never responds; seconds between bytes; a body without end

The log has one JSON object per line: `time` (seconds since 1970), `number` (of the request), `event` (request,
response, disconnected, applied), `endpoint`, `trace`, `metadata`, `status`, `fault`, and for a request the client's
`port`.
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

ENDPOINTS = {"/v1/traces/metadata": "metadata", "/v1/sql/query": "query", "/v1/tag": "tag", "/v1/project": "project"}
PROJECT = "0b0f3a52-6f0e-4b52-9d5a-2f6f6f1d9a10"
ROW = {"start_time": "2026-01-02 03:04:05.000000000", "end_time": "2026-01-02 03:04:06.000000000"}
MAX_DEFER_SECONDS = 5.0

Rule = dict[str, Any]


@dataclass(slots=True)
class Request:
    """One request with its parsed body; `number` counts all requests from 1."""

    number: int
    endpoint: str
    key: str
    body: dict[str, Any]

    @property
    def trace(self) -> str:
        return str(self.body.get("traceId", ""))


@dataclass(slots=True)
class LaminarState:
    """The server's metadata by trace id, its rules and its log."""

    log: TextIO
    rules: list[Rule] = field(default_factory=list)
    keys: list[str] | None = None
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    # By trace id: patches to apply after the trace's next patch.
    deferred: dict[str, list[tuple[Request, Rule]]] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def log_event(self, event: str, request: Request, **details: Any) -> None:
        metadata = {"metadata": request.body.get("metadata")} if event in ("request", "applied") else {}
        entry = {
            "time": time.time(), "number": request.number, "event": event, "endpoint": request.endpoint,
            "trace": request.trace,
        }  # fmt: skip
        self.log.write(json.dumps(entry | metadata | details) + "\n")

    def pick_rule(self, request: Request) -> Rule:
        """Return the first rule that matches, counted as used; {} for a normal response."""
        for rule in self.rules:
            if rule.get("endpoint", request.endpoint) != request.endpoint or rule.get("times", 1) <= 0:
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

    def build_response(self, request: Request) -> tuple[int, bytes]:
        """Return the status and body that Laminar would send."""
        if self.keys is not None and request.key not in self.keys:
            return 401, b""
        if request.endpoint == "project":
            return 200, json.dumps({"projectId": PROJECT}).encode()
        if request.endpoint == "query":
            ids = request.body.get("parameters", {}).get("ids", [])
            rows = [{"id": trace, "metadata": json.dumps(self.metadata.get(trace, {})), **ROW} for trace in ids]
            return 200, json.dumps({"data": rows}).encode()
        return (200, b"") if request.endpoint else (404, b"")

    def apply(self, request: Request, fault: str = "") -> None:
        self.metadata.setdefault(request.trace, {}).update(request.body["metadata"])
        self.log_event("applied", request, fault=fault)
        for deferred_request, rule in self.deferred.pop(request.trace, []):
            self.apply(deferred_request, rule.get("name", ""))

    def apply_by_rule(self, rule: Rule, request: Request) -> None:
        """Apply a patch now, late, after the next one, twice, or never, as the rule says."""
        when, name, loop = rule.get("apply", "now"), rule.get("name", ""), asyncio.get_running_loop()
        if when == "now":
            self.apply(request, name)
        elif when == "after_next":
            self.deferred.setdefault(request.trace, []).append((request, rule))
            loop.call_later(MAX_DEFER_SECONDS, self._apply_deferred, request)
        elif when != "never":
            loop.call_later(when, self.apply, request, name)
        if "replay" in rule:
            loop.call_later(rule["replay"], self.apply, request, name)

    def configure(self, settings: dict[str, Any]) -> None:
        self.rules = settings.get("rules", self.rules)
        self.keys = settings.get("keys", self.keys)

    def _apply_deferred(self, request: Request) -> None:
        trace_patches = self.deferred.get(request.trace, [])
        overdue = [pair for pair in trace_patches if pair[0] is request]
        for pair in overdue:
            trace_patches.remove(pair)
            self.apply(request, pair[1].get("name", ""))


class LaminarProtocol(asyncio.Protocol):
    """One connection, which handles its requests one after another."""

    def __init__(self, state: LaminarState) -> None:
        self.state = state
        self.buffer = b""
        self.open_request: Request | None = None
        self.disconnected = asyncio.get_running_loop().create_future()
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.disconnected.set_result(None)
        if self.open_request is not None:
            self.state.log_event("disconnected", self.open_request)

    def data_received(self, data: bytes) -> None:
        if data[:1] == b"\x16":
            # A TLS handshake: respond in plain HTTP, as servers without TLS do.
            self._write(400, b"", {})
            self.transport.close()
            return
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        request_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        method, path, _ = request_line.split(" ")
        body = json.loads(rest[:length] or b"{}")
        if path == "/control":
            self._control(method, body)
            return
        key = headers.get("authorization", "").removeprefix("Bearer ")
        request = Request(next(self.state.numbers), ENDPOINTS.get(path, ""), key, body)
        task = asyncio.get_running_loop().create_task(self._serve(request))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _control(self, method: str, settings: dict[str, Any]) -> None:
        if method == "POST":
            self.state.configure(settings)
        self._write(200, json.dumps({"metadata": self.state.metadata, "rules": self.state.rules}).encode(), {})

    async def _serve(self, request: Request) -> None:
        state, rule = self.state, self.state.pick_rule(request)
        self.open_request = request
        port = self.transport.get_extra_info("peername")[1]
        state.log_event("request", request, fault=rule.get("name", ""), port=port)
        await asyncio.sleep(rule.get("delay", 0))
        if rule.get("silent"):
            await self.disconnected
            return
        if rule.get("close") == "before":
            self.transport.abort()
            return
        status, content = state.build_response(request)
        if "status" in rule:
            status, content = rule["status"], rule.get("body", "").encode()
        if request.endpoint == "metadata" and ("apply" in rule or (status == 200 and "status" not in rule)):
            state.apply_by_rule(rule, request)
        if rule.get("close") == "after":
            self.transport.abort()
            return
        if rule.get("endless") or "drip" in rule:
            await self._write_slowly(rule)
        elif not self.disconnected.done():
            # Log before writing: the client's next request may arrive before the next line here runs.
            self.open_request = None
            state.log_event("response", request, status=status)
            self._write(status, content, rule.get("headers", {}))

    async def _write_slowly(self, rule: Rule) -> None:
        """Send a body byte by byte or without end, until the client disconnects."""
        length = 1 << 40 if rule.get("endless") else 100
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
        while not self.disconnected.done():
            self.transport.write(b" " * (65_536 if rule.get("endless") else 1))
            await asyncio.sleep(rule.get("drip", 0.001))

    def _write(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {headers[name]}" for name in headers)]
        if status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(content)}")
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + content)


async def serve(log_path: Path, port: int, script: str) -> None:
    """Print the server's URL, then serve until the process ends."""
    with log_path.open("a", buffering=1) as log:
        state = LaminarState(log)
        state.configure(json.loads(script))
        server = await asyncio.get_running_loop().create_server(
            lambda: LaminarProtocol(state), "127.0.0.1", port, backlog=1024
        )
        sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


def read_log(log_path: Path) -> Iterable[dict[str, Any]]:
    """Yield the log's entries; skips a last line that is still being written."""
    for line in log_path.read_text().splitlines():
        if line.endswith("}"):
            yield json.loads(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A Laminar server that misbehaves by rule.")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", default="{}", help="initial settings as JSON, same as for POST /control")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.log, arguments.port, arguments.script))
