"""The row of a trace, aggregated from its spans."""

import json
from typing import Any

import httpx
import pytest

from tests.tracestore.store_calls import (
    METADATA_PREFIX,
    NIL_ID,
    SECOND,
    START,
    fetch_trace,
    make_span,
    query_rows,
    send_span,
    send_spans,
    span_id,
)

PROPERTY = "lmnr.association.properties."


def test_it_runs_from_the_earliest_start_to_the_latest_end(full_client: httpx.Client, trace_id: str) -> None:
    send_spans(
        full_client, make_span(trace_id, 1, start=START), make_span(trace_id, 2, parent=1, start=START - 2 * SECOND)
    )
    send_span(full_client, trace_id, number=3, parent=1, start=START + 5 * SECOND)
    row = fetch_trace(full_client, trace_id)
    assert row["start_time"] == "2026-01-02 03:04:03.000000000"
    assert (row["end_time"], row["duration"]) == ("2026-01-02 03:04:11.000000000", 8)


def test_it_adds_up_tokens_and_costs_across_requests(full_client: httpx.Client, trace_id: str) -> None:
    usage = {"gen_ai.system": "x", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.cost": 0.5}
    send_spans(full_client, make_span(trace_id, 1, attributes=usage), make_span(trace_id, 2, attributes=usage))
    send_span(full_client, trace_id, usage, number=3)
    row = fetch_trace(full_client, trace_id)
    assert (row["input_tokens"], row["total_tokens"], row["total_cost"]) == (9, 9, 1.5)


def test_it_counts_a_resent_span_once(full_client: httpx.Client, trace_id: str) -> None:
    first = {"gen_ai.system": "x", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.cost": 0.1}
    second = first | {"gen_ai.usage.cost": 0.2}
    spans = [make_span(trace_id, 1, attributes=first), make_span(trace_id, 2, attributes=second)]
    send_spans(full_client, *spans)
    once = fetch_trace(full_client, trace_id)
    send_spans(full_client, *spans)
    send_spans(full_client, spans[1])
    assert fetch_trace(full_client, trace_id) == once


def test_it_counts_a_span_once_that_a_request_repeats(full_client: httpx.Client, trace_id: str) -> None:
    usage = {"gen_ai.system": "x", "gen_ai.usage.input_tokens": 3}
    send_spans(full_client, *[make_span(trace_id, 1, attributes=usage)] * 2)
    assert fetch_trace(full_client, trace_id)["total_tokens"] == 3


def test_it_counts_a_replaced_span_by_its_new_values(full_client: httpx.Client, trace_id: str) -> None:
    for input_tokens in (3, 8, 5):
        send_span(full_client, trace_id, {"gen_ai.system": "x", "gen_ai.usage.input_tokens": input_tokens})
    send_span(full_client, trace_id, {"gen_ai.system": "x", "gen_ai.usage.input_tokens": 2}, number=2)
    assert fetch_trace(full_client, trace_id)["input_tokens"] == 7


def test_it_keeps_the_newest_session_and_user(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{PROPERTY}session_id": "s1", f"{PROPERTY}user_id": "u1"})
    send_span(full_client, trace_id, {f"{PROPERTY}session_id": "s2"}, number=2)
    row = fetch_trace(full_client, trace_id)
    assert (row["session_id"], row["user_id"]) == ("s2", "u1")


def test_it_joins_tags_and_span_names(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{PROPERTY}tags": ["a", "b"]})
    send_span(full_client, trace_id, {f"{PROPERTY}labels": ["b", "c"]}, number=2, parent=1, name="child")
    row = fetch_trace(full_client, trace_id)
    assert (row["tags"], row["span_names"], row["trace_tags"]) == (["a", "b", "c"], ["root", "child"], [])


def test_it_keeps_the_error_status(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, events=["exception"])
    send_span(full_client, trace_id, number=2, parent=1)
    assert fetch_trace(full_client, trace_id)["status"] == "error"


def test_it_sets_the_top_span_when_it_arrives(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {"lmnr.span.path": ["agent", "child"]}, number=2, parent=1, name="child")
    before = fetch_trace(full_client, trace_id)
    send_span(full_client, trace_id, {"lmnr.span.type": "EXECUTOR", "lmnr.span.input": "hello"}, name="agent")
    after = fetch_trace(full_client, trace_id)
    assert (before["top_span_id"], before["top_span_name"]) == (NIL_ID, "agent")
    assert (after["top_span_id"], after["top_span_name"], after["top_span_type"]) == (span_id(1), "agent", "EXECUTOR")
    assert after["root_span_input"] == "hello"


@pytest.mark.parametrize(
    ("attributes", "trace_type"),
    [
        ({}, "DEFAULT"),
        ({f"{PROPERTY}trace_type": "PLAYGROUND"}, "PLAYGROUND"),
        ({"lmnr.span.type": "EVALUATION"}, "EVALUATION"),
    ],
)
def test_it_detects_the_trace_type(
    full_client: httpx.Client, trace_id: str, attributes: dict[str, Any], trace_type: str
) -> None:
    send_span(full_client, trace_id, attributes)
    assert fetch_trace(full_client, trace_id)["trace_type"] == trace_type


def test_it_merges_metadata_deeply_within_one_request(full_client: httpx.Client, trace_id: str) -> None:
    first = make_span(trace_id, 1, attributes={f"{METADATA_PREFIX}o": {"a": 1}, f"{METADATA_PREFIX}k": 1})
    second = make_span(trace_id, 2, attributes={f"{METADATA_PREFIX}o": {"b": 2}, f"{METADATA_PREFIX}k": 2})
    send_spans(full_client, first, second)
    assert fetch_trace(full_client, trace_id)["metadata"] == '{"k":2,"o":{"a":1,"b":2}}'


def test_it_replaces_top_level_metadata_keys_across_requests(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}o": {"a": 1}, f"{METADATA_PREFIX}kept": True})
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}o": {"b": 2}}, number=2)
    assert fetch_trace(full_client, trace_id)["metadata"] == '{"o":{"b":2},"kept":true}'


def test_it_prefers_vercels_metadata_to_laminars(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {"ai.telemetry.metadata.k": "vercel", f"{METADATA_PREFIX}k": "lmnr"})
    assert fetch_trace(full_client, trace_id)["metadata"] == '{"k":"vercel"}'


def test_it_keeps_the_types_of_otlp_values(full_client: httpx.Client, trace_id: str) -> None:
    values: dict[str, Any] = {"a": 1, "b": 1.0, "c": True, "d": ["x", "y"], "e": {"f": 2.5}, "g": b'{"h": 1}'}
    send_span(full_client, trace_id, {METADATA_PREFIX + key: value for key, value in values.items()})
    assert (
        fetch_trace(full_client, trace_id)["metadata"]
        == '{"a":1,"b":1.0,"c":true,"d":["x","y"],"e":{"f":2.5},"g":{"h":1}}'
    )


@pytest.mark.parametrize("raw", ["[NaN]", "[1e999]", '{"a":1,"a":2}'])
def test_it_keeps_bytes_that_are_not_json_as_text(full_client: httpx.Client, trace_id: str, raw: str) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}k": raw.encode()})
    assert json.loads(fetch_trace(full_client, trace_id)["metadata"]) == {"k": raw}


def test_it_keeps_bytes_that_are_not_text_as_base64(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}k": b"a\xff"})
    assert fetch_trace(full_client, trace_id)["metadata"] == '{"k":"Yf8="}'


def test_it_has_empty_metadata_text_until_metadata_arrives(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    assert fetch_trace(full_client, trace_id)["metadata"] == ""


def test_it_stores_numbers_of_spans_as_64_bit_floats(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}a": 1e25, f"{METADATA_PREFIX}b": 100.0})
    body = json.dumps([{"name": "x", "startTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:04:06Z",
                        "traceId": trace_id, "attributes": {f"{METADATA_PREFIX}c": 0}}])  # fmt: skip
    content = body.replace(": 0}", ": 0.10}")
    full_client.post("/v1/spans", content=content, headers={"Content-Type": "application/json"}).raise_for_status()
    assert fetch_trace(full_client, trace_id)["metadata"] == '{"a":1e25,"b":100.0,"c":0.1}'


def test_it_finds_a_number_by_the_text_that_laminar_stores(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    body = f'{{"traceId":"{trace_id}","metadata":{{"score":0.90}}}}'
    full_client.post("/v1/traces/metadata", content=body, headers={"Content-Type": "application/json"})
    query = "SELECT id FROM traces WHERE id = {id:UUID} AND simpleJSONExtractRaw(metadata, 'score') = {value:String}"
    assert fetch_trace(full_client, trace_id)["metadata"] == '{"score":0.9}'
    counts = [len(query_rows(full_client, query, id=trace_id, value=value)) for value in ("0.9", "0.90")]
    assert counts == [1, 0]
