"""POST /v1/traces: OTLP in protobuf and JSON."""

import base64
import gzip
import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.tracestore.store_calls import (
    NIL_ID,
    PROTOBUF_HEADERS,
    START,
    encode_spans,
    fetch_spans,
    fetch_trace,
    make_span,
    send_span,
    send_spans,
    span_id,
)

LIMIT = 5 * 1024 * 1024


def test_it_accepts_protobuf(full_client: httpx.Client, trace_id: str) -> None:
    response = full_client.post("/v1/traces", content=encode_spans(make_span(trace_id)), headers=PROTOBUF_HEADERS)
    assert (response.status_code, response.content) == (200, b"")
    assert "Content-Type" not in response.headers
    assert fetch_trace(full_client, trace_id)["id"] == trace_id


def test_it_accepts_gzip(full_client: httpx.Client, trace_id: str) -> None:
    body = gzip.compress(encode_spans(make_span(trace_id)))
    response = full_client.post("/v1/traces", content=body, headers=PROTOBUF_HEADERS | {"Content-Encoding": "gzip"})
    assert response.status_code == 200
    assert len(fetch_spans(full_client, trace_id)) == 1


def test_it_accepts_an_ingest_only_key(ingest_client: httpx.Client, full_client: httpx.Client, trace_id: str) -> None:
    send_span(ingest_client, trace_id)
    assert fetch_trace(full_client, trace_id)["id"] == trace_id


def test_it_accepts_a_trailing_slash(full_client: httpx.Client, trace_id: str) -> None:
    assert (
        full_client.post("/v1/traces/", content=encode_spans(make_span(trace_id)), headers=PROTOBUF_HEADERS).status_code
        == 200
    )


def test_it_pads_span_ids(full_client: httpx.Client, trace_id: str) -> None:
    send_spans(full_client, make_span(trace_id, 1), make_span(trace_id, 2, parent=1, start=START + 1))
    root, child = fetch_spans(full_client, trace_id)
    assert (root["span_id"], root["parent_span_id"]) == (span_id(1), NIL_ID)
    assert child["parent_span_id"] == span_id(1)


def test_it_formats_times_with_nine_digits(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, start=START + 7, end=START + 1_500_000_007)
    row = fetch_spans(full_client, trace_id)[0]
    assert row["start_time"] == "2026-01-02 03:04:05.000000007"
    assert (row["end_time"], row["duration"]) == ("2026-01-02 03:04:06.500000007", 1.5)


def test_it_keeps_times_of_1970_and_clamps_times_out_of_range(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, start=0, end=10**19)
    row = fetch_spans(full_client, trace_id)[0]
    assert row["start_time"] == "1970-01-01 00:00:00.000000000"
    assert row["end_time"] == "2262-04-11 23:47:16.854775807"


def test_it_replaces_a_span_that_is_sent_again(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {"lmnr.span.output": "first"})
    send_span(full_client, trace_id, {"lmnr.span.output": "second"})
    assert [row["output"] for row in fetch_spans(full_client, trace_id)] == ["second"]


def _json_span(trace_id: str, **more: Any) -> dict[str, Any]:
    span: dict[str, Any] = {"traceId": UUID(trace_id).hex, "spanId": "00000000000000ab", "name": "root"}
    span |= {"startTimeUnixNano": str(START), "endTimeUnixNano": START + 5, "kind": "SPAN_KIND_INTERNAL"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span | more]}]}]}


def test_it_reads_hex_ids_in_json(full_client: httpx.Client, trace_id: str) -> None:
    assert full_client.post("/v1/traces", json=_json_span(trace_id)).content == b""
    assert fetch_spans(full_client, trace_id)[0]["span_id"] == "00000000-0000-0000-0000-0000000000ab"


def test_it_reads_base64_ids_in_json(full_client: httpx.Client, trace_id: str) -> None:
    body = _json_span(trace_id, traceId=base64.b64encode(UUID(trace_id).bytes).decode())
    assert full_client.post("/v1/traces", json=body).status_code == 200
    assert fetch_trace(full_client, trace_id)["id"] == trace_id


def test_it_reads_every_type_of_json_value(full_client: httpx.Client, trace_id: str) -> None:
    values = [{"stringValue": "a"}, {"intValue": "5"}, {"intValue": 6}, {"doubleValue": 1.5}, {"boolValue": True}]
    array = {"arrayValue": {"values": [*values, {"kvlistValue": {"values": [{"key": "k", "value": {}}]}}]}}
    assert full_client.post(
        "/v1/traces", json=_json_span(trace_id, attributes=[{"key": "x", "value": array}])
    ).is_success
    assert json.loads(fetch_spans(full_client, trace_id)[0]["attributes"]) == {"x": ["a", 5, 6, 1.5, True, {"k": None}]}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"no protobuf", "application/x-protobuf"),
        (b"{", "application/json"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "abc"}]}]}]}', "application/json"),
        (b'{"resourceSpans": 5}', "application/json"),
        (b"[]", "application/json"),
    ],
)
def test_it_refuses_a_body_it_cannot_decode(full_client: httpx.Client, body: bytes, content_type: str) -> None:
    response = full_client.post("/v1/traces", content=body, headers={"Content-Type": content_type})
    assert response.status_code == 400
    assert response.text.startswith("Failed to decode ExportTraceServiceRequest: ")


def test_it_refuses_truncated_protobuf(full_client: httpx.Client, trace_id: str) -> None:
    response = full_client.post("/v1/traces", content=encode_spans(make_span(trace_id))[:-3], headers=PROTOBUF_HEADERS)
    assert response.status_code == 400


def test_it_refuses_an_id_of_the_wrong_length(full_client: httpx.Client, trace_id: str) -> None:
    span = make_span(trace_id)
    span.trace_id = b"short"
    response = full_client.post("/v1/traces", content=encode_spans(span), headers=PROTOBUF_HEADERS)
    assert (response.status_code, "not 16" in response.text) == (400, True)


def test_it_refuses_a_body_over_5_mib(full_client: httpx.Client) -> None:
    assert full_client.post("/v1/traces", content=b"x" * (LIMIT + 1), headers=PROTOBUF_HEADERS).status_code == 413


def test_it_refuses_a_small_body_that_unzips_to_more_than_5_mib(full_client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * 20 * 1024 * 1024)
    response = full_client.post("/v1/traces", content=bomb, headers=PROTOBUF_HEADERS | {"Content-Encoding": "gzip"})
    assert response.status_code == 413


def test_it_refuses_broken_gzip(full_client: httpx.Client, trace_id: str) -> None:
    for body in (b"not gzip", gzip.compress(encode_spans(make_span(trace_id)))[:-9]):
        assert full_client.post("/v1/traces", content=body, headers={"Content-Encoding": "gzip"}).status_code == 400


def test_it_reads_all_members_of_a_gzip_body(full_client: httpx.Client, trace_id: str) -> None:
    first, second = (encode_spans(make_span(trace_id, number=number)) for number in (1, 2))
    full_client.post(
        "/v1/traces",
        content=gzip.compress(first) + gzip.compress(second),
        headers=PROTOBUF_HEADERS | {"Content-Encoding": "gzip"},
    )
    assert len(fetch_spans(full_client, trace_id)) == 2


EMPTY_MEMBER = gzip.compress(b"", mtime=0)


@pytest.mark.parametrize("rest", [b"x", b"\0", EMPTY_MEMBER[:-1], EMPTY_MEMBER * 100], ids=range(4))
def test_it_refuses_what_follows_a_gzip_body(full_client: httpx.Client, trace_id: str, rest: bytes) -> None:
    body = gzip.compress(encode_spans(make_span(trace_id))) + rest
    response = full_client.post("/v1/traces", content=body, headers=PROTOBUF_HEADERS | {"Content-Encoding": "gzip"})
    assert (response.status_code, response.text.startswith("Failed to decode the gzip body: ")) == (400, True)


def test_it_refuses_members_that_unzip_to_more_than_5_mib(full_client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * LIMIT) + gzip.compress(b"\0")
    response = full_client.post("/v1/traces", content=bomb, headers=PROTOBUF_HEADERS | {"Content-Encoding": "gzip"})
    assert response.status_code == 413


def test_it_returns_an_empty_404_for_another_method_or_path(full_client: httpx.Client) -> None:
    for response in (
        full_client.get("/v1/traces"),
        full_client.delete("/v1/traces"),
        full_client.get("/v1/nothing"),
        full_client.get("/"),
    ):
        assert (response.status_code, response.content) == (404, b"")
