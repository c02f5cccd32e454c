"""How fast the trace store takes traces over HTTP, each request committed to disk before it is answered."""

import gzip
import hashlib
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.environment import ROOT, min_max

SEED = 20260401
RUNS = 5
TRACES = 6000
SPANS = 5
# The lmnr SDK exports at most 64 spans at once; 12 whole traces are 60.
TRACES_PER_REQUEST = 12
CLIENTS = 2
INPUT_BYTES, OUTPUT_BYTES = 2048, 1024
_FIRST_START = 1_775_000_000_000_000_000
_NAMES = ("support_agent", "retrieve_documents", "draft_answer", "look_up_order", "final_answer")
_TYPES = ("DEFAULT", "DEFAULT", "LLM", "TOOL", "LLM")
_CHOICES = {
    "environment": ("production", "production", "staging", "development"),
    "region": ("us-west", "us-east", "eu-central", "ap-south"),
    "feature_flag": ("baseline", "new-retriever", "router-v2"),
    "customer_tier": ("free", "pro", "enterprise"),
}
_WORDS = (
    "order parcel refund invoice address Thursday customer agent answer please delivery account café status number"
    " returned within the of a to and for was not yet has been sent again because our warehouse could find it"
).split()


def run(database: str | None = None) -> dict[str, object]:
    """Five runs, each into a fresh store; the median of traces per second.

    `database` is not used: the store keeps its own SQLite file, wherever the application keeps its rows.
    """
    bodies = [_body(first) for first in range(0, TRACES, TRACES_PER_REQUEST)]
    rates = [_one_run(bodies) for _ in range(RUNS)]
    return {
        "name": "ingest",
        "work": f"{TRACES} traces of {SPANS} spans with {INPUT_BYTES + OUTPUT_BYTES} bytes of input and output each,"
        f" {TRACES_PER_REQUEST * SPANS} spans a request, OTLP protobuf with gzip, {CLIENTS} connections,"
        " each request on disk before it is answered",
        "per_s": round(statistics.median(rates), 1),
        "spread": min_max(rates),
    }


def _one_run(bodies: list[bytes]) -> float:
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        store, port, key = _start(Path(folder))
        try:
            _send(port, key, bodies[:4])
            started = time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as clients:
                list(clients.map(lambda share: _send(port, key, share), (bodies[n::CLIENTS] for n in range(CLIENTS))))
            return TRACES / (time.perf_counter() - started)
        finally:
            store.send_signal(signal.SIGTERM)
            store.wait(timeout=60)


def _start(folder: Path) -> tuple[subprocess.Popen[str], int, str]:
    command = [sys.executable, "-m", "reviewapp.tracestore", "--port=0", f"--database={folder / 'store.sqlite3'}"]
    store = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--json"],
        cwd=ROOT,
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert store.stdout is not None
    assert store.stderr is not None
    key: str = json.loads(store.stdout.readline())["full_key"]
    return store, int(store.stderr.readline().strip().rpartition(":")[2]), key


def _send(port: int, key: str, bodies: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "gzip",
    }
    for body in bodies:
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"The trace store answered {answer.status}.")
    connection.close()


def _body(first: int) -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for index in range(first, first + TRACES_PER_REQUEST):
        _add_trace(spans, index)
    return gzip.compress(request.SerializeToString(), compresslevel=6)


def _add_trace(spans: Any, index: int) -> None:
    chance = random.Random(f"{SEED}:{index}")
    trace_id = hashlib.sha256(f"{SEED}:{index}".encode()).digest()[:16]
    span_ids = [chance.randbytes(8) for _ in _NAMES]
    metadata = {
        f"lmnr.association.properties.metadata.{key}": chance.choice(choices) for key, choices in _CHOICES.items()
    }
    at = _FIRST_START + index * 7_000_000_000
    for name, kind, span_id in zip(_NAMES, _TYPES, span_ids, strict=True):
        is_root = name == _NAMES[0]
        length = chance.randint(40, 1800) * 1_000_000
        span: Span = spans.add(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=b"" if is_root else span_ids[0],
            name=name,
            start_time_unix_nano=at,
            end_time_unix_nano=at + length,
        )
        path = [_NAMES[0]] if is_root else [_NAMES[0], name]
        ids = [f"00000000-0000-0000-{raw.hex()[:4]}-{raw.hex()[4:]}" for raw in (span_ids[0], span_id)]
        _add_lists(span, {"lmnr.span.path": path, "lmnr.span.ids_path": ids[:1] if is_root else ids})
        _add_texts(span, _told(chance, kind) | metadata)
        if kind == "LLM":
            for side in ("input", "output"):
                span.attributes.add(key=f"gen_ai.usage.{side}_tokens").value.int_value = chance.randint(150, 700)
        at += 1_000_000 if is_root else length


def _told(chance: random.Random, kind: str) -> dict[str, str]:
    head, tail = '{"messages":[{"role":"user","content":"', '"}]}'
    told = {
        "lmnr.span.type": kind,
        "lmnr.span.input": head + _text(chance, INPUT_BYTES - len(head + tail)) + tail,
        "lmnr.span.output": _text(chance, OUTPUT_BYTES),
        "lmnr.span.instrumentation_source": "python",
        "lmnr.association.properties.session_id": f"session-{chance.randint(1, 500)}",
        "lmnr.association.properties.user_id": f"user-{chance.randint(1, 500)}",
    }
    return told | ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o-mini"} if kind == "LLM" else {})


def _text(chance: random.Random, size: int) -> str:
    return " ".join(chance.choices(_WORDS, k=size // 4))[:size]


def _add_texts(span: Span, texts: dict[str, str]) -> None:
    for key, text in texts.items():
        span.attributes.add(key=key).value.string_value = text


def _add_lists(span: Span, lists: dict[str, list[str]]) -> None:
    for key, items in lists.items():
        array = span.attributes.add(key=key).value.array_value
        for item in items:
            array.values.add(string_value=item)
