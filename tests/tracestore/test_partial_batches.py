"""One span that breaks a rule of its encoding never takes the others of its request with it."""

import json
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any
from uuid import UUID

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from reviewapp.tracestore import otlp, otlp_json, partial_json, protobuf_fields
from reviewapp.tracestore.spans import MAX_EVENTS, Batch
from tests.tracestore.store_calls import PROTOBUF_HEADERS, encode_spans, fetch_spans, make_span

JSON_HEADERS = {"Content-Type": "application/json"}
TRACE_ID = "00000000-0000-0000-0000-000000000001"
# Values of a span that break a rule of JSON or of its parser in Laminar.
BROKEN = [b"NaN", b"1e999", b"9" * 5000, b'"\\ud800"', b'{"\\udfff":1}', b'"\xff"', b"[" * 5000 + b"]" * 5000]
BROKEN_IDS = ["NaN", "infinite", "5,000 digits", "half a character", "key", "no UTF-8", "deep"]


def _with_broken_value(good: dict[str, Any], value: bytes) -> bytes:
    """Encode a broken span, a good one and a broken one."""
    broken = json.dumps(good | {"kind": "?"}).encode().replace(b'"?"', value)
    return b"[" + b",".join([broken, json.dumps(good).encode(), broken]) + b"]"


@pytest.mark.parametrize("value", BROKEN, ids=BROKEN_IDS)
def test_it_stores_the_others_in_json(full_client: httpx.Client, trace_id: str, value: bytes) -> None:
    spans = _with_broken_value({"traceId": UUID(trace_id).hex, "spanId": "1" * 16, "name": "good"}, value)
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":' + spans + b"}]}]}"
    response = full_client.post("/v1/traces", content=body, headers=JSON_HEADERS)
    assert (response.status_code, response.json()["partialSuccess"]["rejectedSpans"]) == (200, "2")
    assert [span["name"] for span in fetch_spans(full_client, trace_id)] == ["good"]


@pytest.mark.parametrize("value", BROKEN, ids=BROKEN_IDS)
def test_it_stores_the_others_in_plain_json(full_client: httpx.Client, trace_id: str, value: bytes) -> None:
    moment = "2026-01-02T03:04:05Z"
    good = {"name": "good", "traceId": trace_id, "startTime": moment, "endTime": moment}
    response = full_client.post("/v1/spans", content=_with_broken_value(good, value), headers=JSON_HEADERS)
    assert (response.status_code, [list(item) for item in response.json()]) == (
        200,
        [["error"], ["spanId", "traceId"], ["error"]],
    )
    assert [span["name"] for span in fetch_spans(full_client, trace_id)] == ["good"]


@pytest.mark.parametrize(
    "item", [None, "x", {}, {"name": "x"}, {"name": "x", "startTime": "soon", "endTime": "later"}], ids=str
)
def test_it_stores_the_others_beside_what_is_no_span(full_client: httpx.Client, trace_id: str, item: Any) -> None:
    moment = "2026-01-02T03:04:05Z"
    good = {"name": "good", "traceId": trace_id, "startTime": moment, "endTime": moment}
    response = full_client.post("/v1/spans", json=[item, good])
    assert (response.status_code, list(response.json()[0])) == (200, ["error"])
    assert len(fetch_spans(full_client, trace_id)) == 1


def _nested_span() -> bytes:
    span = make_span(TRACE_ID, attributes={"deep": "x"})
    value = span.attributes[0].value
    for _ in range(200):
        value = value.array_value.values.add()
    return span.SerializeToString()


def _field(number: int, content: bytes) -> bytes:
    """Encode a message as a field of another one."""
    size = len(content)
    return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + content


@pytest.mark.parametrize(
    "broken",
    [make_span(TRACE_ID, name="??").SerializeToString().replace(b"??", b"\xff\xff"), b"\x0a\x7f", _nested_span()],
    ids=["no UTF-8", "truncated", "deep"],
)
def test_it_stores_the_others_in_protobuf(full_client: httpx.Client, trace_id: str, broken: bytes) -> None:
    good = make_span(trace_id, name="good").SerializeToString()
    spans = b"".join(_field(2, span) for span in (broken, good, broken))
    response = full_client.post("/v1/traces", content=_field(1, _field(2, spans)), headers=PROTOBUF_HEADERS)
    success = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, success.rejected_spans) == (200, 2)
    assert [span["name"] for span in fetch_spans(full_client, trace_id)] == ["good"]


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1, NaN", b'["\xff', b"[NaN] x", b"[" * 200, b"[" * 100_000],
    ids=lambda body: f"{body[:9]!r}, {len(body)}",
)
def test_it_refuses_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        partial_json.loads(body, 1)


@pytest.mark.parametrize("piece", ["1,", "1e999,", '"\\ud800",', "[],", '{"a":[1]},', "[" * 200 + "]" * 200 + ","])
def test_it_parses_a_broken_request_in_steps_in_proportion_to_its_length(piece: str) -> None:
    short, long = (
        _count_calls(partial(partial_json.loads, f"[{piece * count}NaN]".encode(), 1)) for count in (200, 400)
    )
    assert long < 2.3 * short


def test_it_finds_spans_in_steps_in_proportion_to_the_request() -> None:
    bodies = [_field(1, _field(2, b"\x12\x00" * count)) for count in (400, 800)]
    short, long = [
        _count_calls(lambda body=body: list(protobuf_fields.find_messages(body, (1, 2, 2))))  # type: ignore[misc]
        for body in bodies
    ]
    assert long < 2.3 * short


def _count_calls(function: Callable[[], object]) -> int:
    """Count the calls of Python functions and of built-in ones."""
    count = 0

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_it_refuses_too_many_events_of_a_span() -> None:
    batch = Batch(event_count=MAX_EVENTS - 1)
    batch.count_events(1)
    events: list[dict[str, Any]] = [{}] * (MAX_EVENTS + 1)
    spans = [{"traceId": "1" * 32, "spanId": "1" * 16}, {"traceId": "1" * 32, "spanId": "2" * 16, "events": events}]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}, separators=(",", ":")).encode()
    for decoded in (otlp_json.decode(body), otlp.decode(_encode_with_events(MAX_EVENTS + 1))):
        assert [len(span.events) for span in decoded.spans] == [0]
        assert decoded.refusals == ["more than 400,000 events in one request; send fewer at once"]


def _encode_with_events(count: int) -> bytes:
    return encode_spans(make_span(TRACE_ID), make_span(TRACE_ID, number=2, events=[""] * count))
