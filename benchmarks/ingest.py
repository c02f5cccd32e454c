"""Measure how many traces per second the trace store ingests over HTTP, each request committed before its response."""

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
# The lmnr SDK exports at most 64 spans per request; 12 whole traces are 60 spans.
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
    """Measure traces per second in several runs, each with a new store.

    `database` is not used: the store has its own SQLite file, whatever database the application uses.
    """
    bodies = [_encode_body(first) for first in range(0, TRACES, TRACES_PER_REQUEST)]
    rates = [_one_run(bodies) for _ in range(RUNS)]
    return {
        "name": "ingest",
        "work": f"{TRACES} traces of {SPANS} spans with {INPUT_BYTES + OUTPUT_BYTES} bytes of input and output each,"
        f" {TRACES_PER_REQUEST * SPANS} spans per request, OTLP protobuf with gzip, {CLIENTS} connections,"
        " each request committed to disk before its response",
        "per_s": round(statistics.median(rates), 1),
        "spread": min_max(rates),
    }


def _one_run(bodies: list[bytes]) -> float:
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        store, port, key = _start_store(Path(folder))
        try:
            _send(port, key, bodies[:4])
            started = time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as clients:
                list(clients.map(lambda share: _send(port, key, share), (bodies[n::CLIENTS] for n in range(CLIENTS))))
            return TRACES / (time.perf_counter() - started)
        finally:
            store.send_signal(signal.SIGTERM)
            store.wait(timeout=60)


def _start_store(folder: Path) -> tuple[subprocess.Popen[str], int, str]:
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
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"The trace store answered {response.status}.")
    connection.close()


def _encode_body(first: int) -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for index in range(first, first + TRACES_PER_REQUEST):
        _add_trace(spans, index)
    return gzip.compress(request.SerializeToString(), compresslevel=6)


def _add_trace(spans: Any, index: int) -> None:
    rng = random.Random(f"{SEED}:{index}")
    trace_id = hashlib.sha256(f"{SEED}:{index}".encode()).digest()[:16]
    span_ids = [rng.randbytes(8) for _ in _NAMES]
    metadata = {f"lmnr.association.properties.metadata.{key}": rng.choice(choices) for key, choices in _CHOICES.items()}
    start_time = _FIRST_START + index * 7_000_000_000
    for name, kind, span_id in zip(_NAMES, _TYPES, span_ids, strict=True):
        is_root = name == _NAMES[0]
        duration = rng.randint(40, 1800) * 1_000_000
        span: Span = spans.add(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=b"" if is_root else span_ids[0],
            name=name,
            start_time_unix_nano=start_time,
            end_time_unix_nano=start_time + duration,
        )
        path = [_NAMES[0]] if is_root else [_NAMES[0], name]
        ids = [
            f"00000000-0000-0000-{span_bytes.hex()[:4]}-{span_bytes.hex()[4:]}" for span_bytes in (span_ids[0], span_id)
        ]
        _add_lists(span, {"lmnr.span.path": path, "lmnr.span.ids_path": ids[:1] if is_root else ids})
        _add_texts(span, _make_attributes(rng, kind) | metadata)
        if kind == "LLM":
            for side in ("input", "output"):
                span.attributes.add(key=f"gen_ai.usage.{side}_tokens").value.int_value = rng.randint(150, 700)
        start_time += 1_000_000 if is_root else duration


def _make_attributes(rng: random.Random, kind: str) -> dict[str, str]:
    prefix, suffix = '{"messages":[{"role":"user","content":"', '"}]}'
    attributes = {
        "lmnr.span.type": kind,
        "lmnr.span.input": prefix + _text(rng, INPUT_BYTES - len(prefix + suffix)) + suffix,
        "lmnr.span.output": _text(rng, OUTPUT_BYTES),
        "lmnr.span.instrumentation_source": "python",
        "lmnr.association.properties.session_id": f"session-{rng.randint(1, 500)}",
        "lmnr.association.properties.user_id": f"user-{rng.randint(1, 500)}",
    }
    return attributes | ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o-mini"} if kind == "LLM" else {})


def _text(rng: random.Random, size: int) -> str:
    return " ".join(rng.choices(_WORDS, k=size // 4))[:size]


def _add_texts(span: Span, texts: dict[str, str]) -> None:
    for key, text in texts.items():
        span.attributes.add(key=key).value.string_value = text


def _add_lists(span: Span, lists: dict[str, list[str]]) -> None:
    for key, items in lists.items():
        array = span.attributes.add(key=key).value.array_value
        for item in items:
            array.values.add(string_value=item)
