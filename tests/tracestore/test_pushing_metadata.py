"""POST /v1/traces/metadata: patches, and virtual spans that act as patches."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.tracestore.store_calls import (
    METADATA_PREFIX,
    fetch_metadata,
    fetch_spans,
    push_metadata,
    query_rows,
    send_span,
)
from tests.tracestore_server import RunningStore, run_store, start_store

DELAY_MS = 700


def _fetch_num_spans(store: RunningStore, trace_id: str) -> int:
    with sqlite3.connect(store.database) as connection:
        (count,) = connection.execute("SELECT num_spans FROM trace WHERE id = ?", (trace_id,)).fetchone()
    connection.close()
    return int(count)


def test_it_merges_a_patch(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}kept": "x"})
    response = push_metadata(full_client, trace_id, {"review.score": 4})
    assert (response.status_code, response.content) == (200, b"")
    assert fetch_metadata(full_client, trace_id) == '{"kept":"x","review.score":4}'


def test_it_accepts_an_ingest_only_key(ingest_client: httpx.Client, full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    assert push_metadata(ingest_client, trace_id, {"k": 1}).status_code == 200
    assert fetch_metadata(full_client, trace_id) == '{"k":1}'


def test_it_replaces_top_level_keys_and_keeps_null(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    for patch in ({"n": {"x": 1}, "a": 1}, {"n": {"y": 2}}, {"a": None}):
        push_metadata(full_client, trace_id, patch)
    assert fetch_metadata(full_client, trace_id) == '{"a":null,"n":{"y":2}}'


def test_it_treats_dots_in_keys_literally_and_sorts_as_jsonb(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    push_metadata(full_client, trace_id, {"bb": 1, "é": 2, "a.b": 3, "c": 4})
    assert fetch_metadata(full_client, trace_id) == '{"c":4,"bb":1,"é":2,"a.b":3}'


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("1.0", "1.0"), ("1e2", "100.0"), ("0.10", "0.1"), ("1e-7", "1e-7"), ("-0.0", "0.0"),
        ("9007199254740993",) * 2, ("0.1234567890123456789", "0.12345678901234568"), ("1e25", "1e25"),
    ],
)  # fmt: skip
def test_it_stores_numbers_as_64_bit_floats(full_client: httpx.Client, trace_id: str, sent: str, stored: str) -> None:
    send_span(full_client, trace_id)
    body = f'{{"traceId":"{trace_id}","metadata":{{"k":{sent}}}}}'
    full_client.post("/v1/traces/metadata", content=body, headers={"Content-Type": "application/json"})
    assert fetch_metadata(full_client, trace_id) == f'{{"k":{stored}}}'


@pytest.mark.parametrize("respell", [str.upper, lambda text: UUID(text).hex, "{{{}}}".format, "urn:uuid:{}".format])
def test_it_accepts_every_spelling_of_an_id(full_client: httpx.Client, trace_id: str, respell: Any) -> None:
    send_span(full_client, trace_id)
    assert push_metadata(full_client, respell(trace_id), {"k": 1}).status_code == 200
    assert fetch_metadata(full_client, trace_id) == '{"k":1}'


def test_it_refuses_empty_metadata(full_client: httpx.Client, trace_id: str) -> None:
    response = push_metadata(full_client, trace_id, {})
    assert (response.status_code, response.json()) == (400, "metadata cannot be empty")


def test_it_refuses_a_trace_without_spans(full_client: httpx.Client, trace_id: str) -> None:
    response = push_metadata(full_client, trace_id, {"k": 1})
    assert (response.status_code, response.json()) == (404, "Trace not found")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '{"metadata":{"k":1}}',
        '{"traceId":5,"metadata":{"k":1}}',
        '{"traceId":"no","metadata":{"k":1}}',
        '{"traceId":"ID"}',
        '{"traceId":"ID","metadata":null}',
        '{"traceId":"ID","metadata":[1]}',
        '{"traceId":"ID","metadata":{"k":NaN}}',
        '{"traceId":"ID","metadata":{"k":1e400}}',
        '{"traceId":"ID","metadata":{"k":"\\ud800"}}',
        '{"traceId":"ID","metadata":{"k":' + "[" * 5000 + "]" * 5000 + "}}",
        '{"traceId":"ID","metadata":{"k":' + "[" * 130 + "]" * 130 + "}}",
    ],
)
def test_it_refuses_malformed_json(full_client: httpx.Client, trace_id: str, body: str) -> None:
    content = body.replace("ID", trace_id)
    response = full_client.post("/v1/traces/metadata", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.text[:24]) == (400, "Json deserialize error: ")


def test_it_refuses_a_wrong_content_type(full_client: httpx.Client) -> None:
    response = full_client.post("/v1/traces/metadata", content=b"{}")
    assert (response.status_code, response.text) == (400, "Content type error")


def test_it_refuses_a_body_over_5_mib(full_client: httpx.Client, trace_id: str) -> None:
    assert push_metadata(full_client, trace_id, {"k": "x" * 5 * 1024 * 1024}).status_code == 413


def test_it_drops_a_patch_with_nul_silently(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}k": "kept"})
    assert push_metadata(full_client, trace_id, {"k": "a\x00b", "other": 1}).status_code == 200
    assert fetch_metadata(full_client, trace_id) == '{"k":"kept"}'


def test_it_counts_each_patch_as_a_span(full_client: httpx.Client, tracestore: RunningStore, trace_id: str) -> None:
    send_span(full_client, trace_id)
    for number in range(3):
        push_metadata(full_client, trace_id, {"k": number})
    assert (fetch_metadata(full_client, trace_id), _fetch_num_spans(tracestore, trace_id)) == ('{"k":2}', 4)


def test_it_lets_a_later_span_overwrite_a_patch(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}k": "span"})
    push_metadata(full_client, trace_id, {"k": "patch"})
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}k": "later span"}, number=2)
    assert fetch_metadata(full_client, trace_id) == '{"k":"later span"}'


def test_it_treats_a_virtual_span_as_a_patch(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    send_span(full_client, trace_id, {"lmnr.internal.metadata_only": True, f"{METADATA_PREFIX}k": "v"}, number=2)
    assert fetch_metadata(full_client, trace_id) == '{"k":"v"}'
    assert len(fetch_spans(full_client, trace_id)) == 1


def test_it_ignores_a_virtual_span_without_a_trace(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {"lmnr.internal.metadata_only": True, f"{METADATA_PREFIX}k": "v"})
    assert query_rows(full_client, "SELECT id FROM traces WHERE id = {id:UUID}", id=trace_id) == []


def wait_for_metadata(client: httpx.Client, trace_id: str, metadata: str) -> None:
    """Wait until a pushed patch is applied. Raises AssertionError."""
    end = time.monotonic() + 60
    while fetch_metadata(client, trace_id) != metadata and time.monotonic() < end:
        time.sleep(0.05)
    assert fetch_metadata(client, trace_id) == metadata


@pytest.fixture(scope="module")
def slow_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    with run_store(tmp_path_factory.mktemp("slow"), apply_delay_ms=DELAY_MS) as store:
        yield store


def test_it_applies_a_patch_after_the_delay(slow_store: RunningStore, trace_id: str) -> None:
    with slow_store.client() as client:
        send_span(client, trace_id)
        push_metadata(client, trace_id, {"k": 1})
        assert fetch_metadata(client, trace_id) == ""
        wait_for_metadata(client, trace_id, '{"k":1}')


def test_it_applies_waiting_patches_in_order(slow_store: RunningStore, trace_id: str) -> None:
    with slow_store.client() as client:
        send_span(client, trace_id)
        for number in range(20):
            push_metadata(client, trace_id, {"k": number})
        wait_for_metadata(client, trace_id, '{"k":19}')


def test_it_applies_patches_by_arrival_when_the_clock_was_set_back(slow_store: RunningStore, trace_id: str) -> None:
    with slow_store.client() as client:
        send_span(client, trace_id)
        push_metadata(client, trace_id, {"k": "first"})
        with sqlite3.connect(slow_store.database) as database:
            # As if the clock had been an hour ahead when it arrived.
            database.execute("UPDATE patch SET apply_at = apply_at + 3600000")
        push_metadata(client, trace_id, {"k": "second"})
        wait_for_metadata(client, trace_id, '{"k":"second"}')


def test_it_keeps_spans_and_waiting_patches_when_killed(tmp_path: Path) -> None:
    trace_id = str(uuid4())
    killed_store = start_store(tmp_path, apply_delay_ms=DELAY_MS)
    with killed_store.client() as client:
        send_span(client, trace_id, {f"{METADATA_PREFIX}k": "span"})
        push_metadata(client, trace_id, {"k": "patch"})
    killed_store.stop(signal.SIGKILL)
    keys = {
        "project_id": killed_store.project_id,
        "full_key": killed_store.full_key,
        "ingest_key": killed_store.ingest_key,
    }
    with run_store(tmp_path, keys=keys) as restarted_store, restarted_store.client() as client:
        wait_for_metadata(client, trace_id, '{"k":"patch"}')
