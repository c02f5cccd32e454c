"""Decode OTLP in protobuf: the body of POST /v1/traces."""

import json
import math
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from reviewapp.tracestore import ids, protobuf_fields, values
from reviewapp.tracestore.spans import Attributes, Batch, Event, InvalidSpanError, InvalidSpansError, Span

# Field numbers: resource_spans, scope_spans, spans.
_SPAN_PATH = (1, 2, 2)


def decode(body: bytes) -> Batch:
    """Returns the spans of an ExportTraceServiceRequest. Raises InvalidSpansError."""
    batch = Batch()
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except (DecodeError, RecursionError) as error:
        _add_one_by_one(batch, body, str(error))
        return batch
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                _add(batch, span)
    return batch


def _add_one_by_one(batch: Batch, body: bytes, reason: str) -> None:
    """Decode each span by itself, because one of them, or the whole body, cannot be decoded."""
    try:
        for message in list(protobuf_fields.find_messages(body, _SPAN_PATH)):
            try:
                span = trace_pb2.Span.FromString(message)
            except (DecodeError, RecursionError):
                batch.refusals.append(reason)
            else:
                _add(batch, span)
    except protobuf_fields.TruncatedMessageError:
        raise InvalidSpansError(reason) from None
    if not batch.refusals:
        # What cannot be decoded is not a span.
        raise InvalidSpansError(reason)


def _add(batch: Batch, span: trace_pb2.Span) -> None:
    try:
        batch.count_events(len(span.events))
        batch.spans.append(_span(span))
    except (InvalidSpanError, ids.InvalidIdError) as error:
        batch.refusals.append(str(error))


def encode_response(refused: int, message: str) -> bytes:
    """Encode an ExportTraceServiceResponse that tells how many spans were refused, and why."""
    partial_success = ExportTracePartialSuccess(rejected_spans=refused, error_message=message)
    response: bytes = ExportTraceServiceResponse(partial_success=partial_success).SerializeToString()
    return response


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
    return {pair.key: values.storable(_value(pair.value)) for pair in pairs}


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
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return values.parse_bytes(value.bytes_value)
    return getattr(value, kind) if kind else None
