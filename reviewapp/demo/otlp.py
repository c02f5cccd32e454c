"""Encode demo traces as the official SDK exports them: one OTLP request with its attribute names and encodings."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from reviewapp.demo.trace import DemoSpan, DemoTrace

PROPERTIES = "lmnr.association.properties"


def encode_request(traces: Sequence[DemoTrace]) -> bytes:
    """Return the protobuf of an ExportTraceServiceRequest, the body of POST /v1/traces.

    All demo traces together are about 1.1 MB; Laminar accepts 5 MB per request by default.
    """
    request = ExportTraceServiceRequest(resource_spans=[_resource_spans(trace) for trace in traces])
    body: bytes = request.SerializeToString()
    return body


def _resource_spans(trace: DemoTrace) -> ResourceSpans:
    spans_by_id = {span.span_id: span for span in trace.spans}
    # The SDK sends a span when it ends, so children come before their parent.
    spans = sorted(trace.spans, key=lambda span: span.end_time)
    scope = ScopeSpans(
        scope=InstrumentationScope(name="lmnr.tracer"),
        spans=[_span(trace, span, _path(span, spans_by_id)) for span in spans],
    )
    return ResourceSpans(resource=Resource(attributes=_key_values({"service.name": trace.name})), scope_spans=[scope])


def _span(trace: DemoTrace, span: DemoSpan, path: list[DemoSpan]) -> Span:
    events = [
        Span.Event(time_unix_nano=event["timestamp"], name=event["name"], attributes=_key_values(event["attributes"]))
        for event in span.events
    ]
    message = span.events[0]["attributes"]["exception.message"] if span.events else ""
    return Span(
        trace_id=trace.trace_id.bytes,
        span_id=_encode_span_id(span.span_id),
        parent_span_id=_encode_span_id(span.parent_span_id) if span.parent_span_id else b"",
        name=span.name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_nanoseconds(span.start_time),
        end_time_unix_nano=_nanoseconds(span.end_time),
        attributes=_key_values(_span_attributes(trace, span, path)),
        events=events,
        status=Status(code=Status.STATUS_CODE_ERROR, message=message) if span.events else Status(),
    )


def _span_attributes(trace: DemoTrace, span: DemoSpan, path: list[DemoSpan]) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "lmnr.span.type": span.span_type,
        "lmnr.span.path": [ancestor.name for ancestor in path],
        "lmnr.span.ids_path": [str(ancestor.span_id) for ancestor in path],
        "lmnr.span.instrumentation_source": "python",
        "lmnr.span.sdk_version": "0.8.1",
        "lmnr.span.language_version": "python@3.11",
        f"{PROPERTIES}.session_id": trace.session_id,
        f"{PROPERTIES}.user_id": trace.user_id,
    }
    attributes |= {
        f"{PROPERTIES}.metadata.{key}": _encode_metadata_value(value) for key, value in trace.metadata.items()
    }
    if span is trace.spans[0] and trace.tags:
        attributes[f"{PROPERTIES}.tags"] = list(trace.tags)
    if span.input:
        attributes["lmnr.span.input"] = _encode_text(span.input)
    if span.output:
        attributes["lmnr.span.output"] = _encode_text(span.output)
    return attributes | (_model_attributes(span) if span.span_type == "LLM" else {})


def _model_attributes(span: DemoSpan) -> dict[str, Any]:
    return {
        "gen_ai.system": span.provider,
        "gen_ai.request.model": span.model,
        "gen_ai.response.model": span.model,
        "gen_ai.usage.input_tokens": span.input_tokens,
        "gen_ai.usage.output_tokens": span.output_tokens,
        "llm.usage.total_tokens": span.total_tokens,
        "gen_ai.usage.input_cost": span.input_cost,
        "gen_ai.usage.output_cost": span.output_cost,
        "gen_ai.usage.cost": span.total_cost,
    }


def _path(span: DemoSpan, spans_by_id: Mapping[UUID, DemoSpan]) -> list[DemoSpan]:
    path = [span]
    while path[0].parent_span_id is not None:
        path.insert(0, spans_by_id[path[0].parent_span_id])
    return path


def _encode_metadata_value(value: Any) -> Any:
    """Return a metadata value as an OpenTelemetry attribute; all but scalars and lists of one type become JSON text."""
    is_plain_list = isinstance(value, list) and len({type(item) for item in value}) == 1
    if isinstance(value, (str, bool, int, float)) or (is_plain_list and isinstance(value[0], (str, bool, int, float))):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encode_text(text: str) -> str:
    """Return an input or output as JSON text: the SDK quotes plain text."""
    return text if text[:1] in ("{", "[") else json.dumps(text, ensure_ascii=False)


def _key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()]


def _any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    return AnyValue(string_value=value)


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000


def _encode_span_id(span_id: UUID) -> bytes:
    """Return OpenTelemetry's eight bytes of a span id; Laminar pads them again on the left."""
    return span_id.bytes[8:]
