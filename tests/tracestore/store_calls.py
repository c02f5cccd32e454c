"""Helpers that send spans as an SDK does, and query them as the review app does."""

from typing import Any
from uuid import UUID

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

NIL_ID = "00000000-0000-0000-0000-000000000000"
SECOND = 1_000_000_000
# 2026-01-02 03:04:05 UTC
START = 1_767_323_045 * SECOND
PROTOBUF_HEADERS = {"Content-Type": "application/x-protobuf"}
METADATA_PREFIX = "lmnr.association.properties.metadata."


def span_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


def make_span(trace_id: str, number: int = 1, parent: int = 0, name: str = "root", **more: Any) -> Span:
    """Build span `number` of a trace; optional: `attributes`, `events`, `start` and `end` (nanoseconds)."""
    start = more.get("start", START)
    span = Span(
        trace_id=UUID(trace_id).bytes,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=more.get("end", start + SECOND),
        attributes=[KeyValue(key=key, value=any_value(value)) for key, value in more.get("attributes", {}).items()],
    )
    for event in more.get("events", ()):
        span.events.add(name=event, time_unix_nano=start)
    return span


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    if isinstance(value, dict):
        pairs = [KeyValue(key=key, value=any_value(item)) for key, item in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    return AnyValue(string_value=value)


def encode_spans(*spans: Span) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request.SerializeToString()


def send_spans(client: httpx.Client, *spans: Span) -> None:
    response = client.post("/v1/traces", content=encode_spans(*spans), headers=PROTOBUF_HEADERS)
    assert (response.status_code, response.content) == (200, b"")


def send_span(client: httpx.Client, trace_id: str, attributes: dict[str, Any] | None = None, **more: Any) -> None:
    send_spans(client, make_span(trace_id, attributes=attributes or {}, **more))


def push_metadata(client: httpx.Client, trace_id: str, metadata: Any) -> httpx.Response:
    return client.post("/v1/traces/metadata", json={"traceId": trace_id, "metadata": metadata})


def query_rows(client: httpx.Client, query: str, **parameters: Any) -> list[dict[str, Any]]:
    response = client.post("/v1/sql/query", json={"query": query, "parameters": parameters})
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["data"]
    return rows


def query_error(client: httpx.Client, query: str, **parameters: Any) -> tuple[int, str]:
    response = client.post("/v1/sql/query", json={"query": query, "parameters": parameters})
    return response.status_code, response.json()["error"]


def fetch_trace(client: httpx.Client, trace_id: str) -> dict[str, Any]:
    return query_rows(client, "SELECT * FROM traces WHERE id = {id:UUID} LIMIT 1", id=trace_id)[0]


def fetch_spans(client: httpx.Client, trace_id: str) -> list[dict[str, Any]]:
    return query_rows(
        client, "SELECT * FROM spans WHERE trace_id = {id:UUID} ORDER BY start_time, span_id", id=trace_id
    )


def fetch_metadata(client: httpx.Client, trace_id: str) -> str:
    text: str = fetch_trace(client, trace_id)["metadata"]
    return text
