"""Decode OTLP in protobuf: the body of POST /v1/traces."""

import base64
import json
import math
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from reviewapp.lib import exact_json
from reviewapp.tracestore import ids, jsonb
from reviewapp.tracestore.spans import Attributes, Event, InvalidSpansError, Span


def decode(body: bytes) -> list[Span]:
    """Returns the spans of an ExportTraceServiceRequest. Raises InvalidSpansError."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
        return [
            _span(span) for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]
    except (DecodeError, ids.InvalidIdError, RecursionError) as error:
        raise InvalidSpansError(str(error)) from None


def unwrap_quotes(text: str) -> str:
    """Decode a text that is itself a quoted JSON string, repeatedly if it was quoted more than once."""
    while len(text) > 1 and text[0] == text[-1] == '"':
        try:
            inner = json.loads(text)
            inner.encode()
        except ValueError:
            return text
        text = inner
    return text


def decode_bytes(raw: bytes) -> Any:
    """Decode a bytes attribute: to its JSON value if it holds JSON, else to text; bytes that are no text to base64."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()
    try:
        # jsonb keeps the last of repeated keys, exact_json refuses them.
        exact_json.loads(text)
        return jsonb.loads(text)
    except (ValueError, RecursionError):
        return text


def _span(span: trace_pb2.Span) -> Span:
    return Span(
        trace_id=ids.trace(span.trace_id),
        span_id=ids.span(span.span_id),
        parent_id=ids.span(span.parent_span_id) if span.parent_span_id else ids.NIL,
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        events=[Event(event.time_unix_nano, event.name, _attributes(event.attributes)) for event in span.events],
    )


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    # Fast path: nearly all attributes are strings, so check before the slower WhichOneof.
    text = value.string_value
    if text:
        return unwrap_quotes(text) if text[0] == '"' else text
    kind = value.WhichOneof("value")
    if kind == "double_value":
        return value.double_value if math.isfinite(value.double_value) else None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return decode_bytes(value.bytes_value)
    return getattr(value, kind) if kind else None
