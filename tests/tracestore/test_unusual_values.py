"""Attribute values of any type, size and nesting, and batches with one bad span."""

import base64
import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from reviewapp.tracestore import jsonb, values
from reviewapp.tracestore.attributes import Usage
from tests.tracestore.store_calls import (
    METADATA_PREFIX,
    PROTOBUF_HEADERS,
    START,
    encode_spans,
    fetch_metadata,
    fetch_spans,
    fetch_trace,
    make_span,
    push_metadata,
    send_span,
    send_spans,
    span_id,
)

MAX_TOKENS = 2**53 - 1


def nest(levels: int, inner: str = "1") -> str:
    return "[" * levels + inner + "]" * levels


def json_span(trace_id: str, number: int = 1, **more: Any) -> dict[str, Any]:
    span = {"traceId": UUID(trace_id).hex, "spanId": f"{number:016x}", "name": "root"}
    return span | {"startTimeUnixNano": START, "endTimeUnixNano": START + 5} | more


def post_json(client: httpx.Client, *spans: Any) -> httpx.Response:
    return client.post("/v1/traces", json={"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})


def attribute(key: str, **value: Any) -> dict[str, Any]:
    return {"attributes": [{"key": key, "value": value}]}


@pytest.mark.parametrize("value", [["chat"], {"chat": 1}, 5, 1.5, True, b"chat", b"\xf0\x9f"])
@pytest.mark.parametrize(
    "key", ["gen_ai.operation.name", "lmnr.span.type", "gen_ai.system", "gen_ai.usage.cost", "lmnr.span.path"]
)
def test_it_accepts_a_value_of_another_type(full_client: httpx.Client, trace_id: str, key: str, value: Any) -> None:
    send_span(full_client, trace_id, {key: value})
    assert fetch_spans(full_client, trace_id)[0]["name"] == "root"


def test_it_accepts_an_operation_that_is_a_list_as_plain_json(full_client: httpx.Client, trace_id: str) -> None:
    times = {"startTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:04:05Z"}
    span = {"name": "root", "traceId": trace_id, "attributes": {"gen_ai.operation.name": ["chat"]}, **times}
    assert full_client.post("/v1/spans", json=[span]).status_code == 200


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (b'["\\ud800"]', r'["\ud800"]'),
        (b"[NaN]", "[NaN]"),
        (nest(900).encode(), nest(900)),
        (b"1" + b"0" * 400, "1" + "0" * 400),
        (b'{"a":1.10}', {"a": 1.1}),
        (b"half \xf0\x9f", "aGFsZiDwnw=="),
    ],
)
def test_it_keeps_bytes_that_are_not_strict_json_as_text_or_base64(
    full_client: httpx.Client, trace_id: str, raw: bytes, stored: Any
) -> None:
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}key": raw})
    assert json.loads(fetch_metadata(full_client, trace_id)) == {"key": stored}


def test_it_still_merges_metadata_that_was_nested_deeply(full_client: httpx.Client, trace_id: str) -> None:
    """A list of JSON in bytes is nested deeper than either."""
    value: Any = nest(120).encode()
    for _ in range(20):
        value = [value]
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}key": value})
    assert push_metadata(full_client, trace_id, {"other": 1}).status_code == 200
    assert json.loads(fetch_metadata(full_client, trace_id)) == {"key": nest(140), "other": 1}


@pytest.mark.parametrize("levels", [975, 5000])
def test_it_keeps_deeply_nested_arguments_as_text(full_client: httpx.Client, trace_id: str, levels: int) -> None:
    send_span(full_client, trace_id, {"gen_ai.tool.call.arguments": nest(levels)})
    assert fetch_spans(full_client, trace_id)[0]["input"] == nest(levels)


@pytest.mark.parametrize(
    "member",
    [
        {"endTimeUnixNano": "9" * 4000},
        {"endTimeUnixNano": 2**64},
        {"endTimeUnixNano": "-1"},
        {"endTimeUnixNano": 1.5},
        {"name": 5},
        {"events": [5]},
        {"spanId": "abc"},
        attribute("gen_ai.usage.cost", intValue="1" + "0" * 400),
        attribute("key", intValue=True),
        attribute("key", intValue="1_0"),
        attribute("key", boolValue="false"),
        attribute("key", doubleValue="much"),
        attribute("key", stringValue={}),
        attribute("key", arrayValue=[]),
        attribute("key", bytesValue="*"),
        {"attributes": ["key"]},
        {"attributes": {"key": 1}},
    ],
)
def test_it_refuses_one_bad_span_and_stores_the_others(
    full_client: httpx.Client, trace_id: str, member: dict[str, Any]
) -> None:
    response = post_json(full_client, json_span(trace_id, 1), json_span(trace_id, 2, **member), json_span(trace_id, 3))
    success = response.json()["partialSuccess"]
    assert (response.status_code, success["rejectedSpans"]) == (200, "1")
    assert success["errorMessage"].startswith("Refused 1 of 3 spans; the others are stored. First reason: ")
    assert [row["span_id"] for row in fetch_spans(full_client, trace_id)] == [span_id(1), span_id(3)]


def test_it_reports_refused_spans_in_protobuf(full_client: httpx.Client, trace_id: str) -> None:
    spans = [make_span(trace_id, number) for number in (1, 2, 3)]
    spans[0].trace_id, spans[2].span_id = b"short", b""
    response = full_client.post("/v1/traces", content=encode_spans(*spans), headers=PROTOBUF_HEADERS)
    success = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/x-protobuf")
    assert (success.rejected_spans, "not 16" in success.error_message) == (2, True)
    assert len(fetch_spans(full_client, trace_id)) == 1


@pytest.mark.parametrize("bad", [5, {"scopeSpans": 5}, {"scopeSpans": [5]}, {"scopeSpans": [{"spans": {}}]}])
def test_it_stores_spans_beside_a_bad_container(full_client: httpx.Client, trace_id: str, bad: Any) -> None:
    good = {"scopeSpans": [{"spans": [json_span(trace_id)]}]}
    response = full_client.post("/v1/traces", json={"resourceSpans": [bad, good]})
    assert response.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert len(fetch_spans(full_client, trace_id)) == 1


@pytest.mark.parametrize("requests", [1, 2])
def test_it_keeps_sums_of_tokens_integers(full_client: httpx.Client, trace_id: str, requests: int) -> None:
    """The end of the range of integers, and none turns into a float."""
    attributes = {"gen_ai.system": "x", "gen_ai.usage.input_tokens": MAX_TOKENS, "gen_ai.usage.cost": 1.7e308}
    for request in range(requests):
        first = 1 + request * 1100
        send_spans(full_client, *(make_span(trace_id, first + i, attributes=attributes) for i in range(1100)))
    trace = fetch_trace(full_client, trace_id)
    assert trace["input_tokens"] == 2**63 - 1
    assert isinstance(trace["input_tokens"], int)
    assert trace["total_cost"] == values.MAX_COST


def test_it_adds_usage_of_usual_size_exactly() -> None:
    assert Usage(input_tokens=1, total_cost=0.5).plus(Usage(input_tokens=2, total_cost=0.25)) == Usage(
        input_tokens=3, total_cost=0.75
    )


@pytest.mark.parametrize("digits", ["0e-9999999", "1e-99999999999999999999", "-0e-400"])
def test_it_does_not_write_out_zeros_without_end(digits: str) -> None:
    assert jsonb.dumps(jsonb.loads(digits)) == "0.0"


def test_it_reads_numbers_of_both_spellings(full_client: httpx.Client, trace_id: str) -> None:
    span = json_span(
        trace_id,
        attributes=[
            {"key": "a", "value": {"doubleValue": "1e3"}},
            {"key": "b", "value": {"doubleValue": "Infinity"}},
            {"key": "c", "value": {"intValue": 5.0}},
            {"key": "d", "value": {"bytesValue": base64.b64encode(b"[1]").decode()}},
        ],
    )
    assert post_json(full_client, span).content == b""
    stored = json.loads(fetch_spans(full_client, trace_id)[0]["attributes"])
    assert stored == {"a": 1000.0, "b": None, "c": 5, "d": [1]}
