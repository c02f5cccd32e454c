"""Decode OTLP in JSON as leniently as Laminar does: ids in hex or base64, times as text or number."""

import base64
import math
from typing import Any

from reviewapp.tracestore import ids, jsonb, otlp
from reviewapp.tracestore.spans import Attributes, Event, InvalidSpansError, Span


def decode(body: bytes) -> list[Span]:
    """Returns the spans of an ExportTraceServiceRequest in JSON. Raises InvalidSpansError."""
    try:
        request = jsonb.loads(body)
        return [
            _span(span)
            for resource in request.get("resourceSpans") or []
            for scope in resource.get("scopeSpans") or []
            for span in scope.get("spans") or []
        ]
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError) as error:
        raise InvalidSpansError(str(error)) from None


def _span(span: dict[str, Any]) -> Span:
    parent = span.get("parentSpanId")
    return Span(
        trace_id=ids.trace(ids.from_text(span.get("traceId"), 16)),
        span_id=ids.span(ids.from_text(span.get("spanId"), 8)),
        parent_id=ids.span(ids.from_text(parent, 8)) if parent else ids.NIL,
        name=str(span.get("name") or ""),
        start=int(span.get("startTimeUnixNano") or 0),
        end=int(span.get("endTimeUnixNano") or 0),
        attributes=_attributes(span.get("attributes")),
        events=[_event(event) for event in span.get("events") or []],
    )


def _event(event: dict[str, Any]) -> Event:
    name = str(event.get("name") or "")
    return Event(int(event.get("timeUnixNano") or 0), name, _attributes(event.get("attributes")))


def _attributes(pairs: list[dict[str, Any]] | None) -> Attributes:
    return {str(pair["key"]): _value(pair.get("value")) for pair in pairs or []}


def _value(value: dict[str, Any] | None) -> Any:
    value = value or {}
    if (text := value.get("stringValue")) is not None:
        return otlp.unwrap_quotes(str(text))
    if (flag := value.get("boolValue")) is not None:
        return bool(flag)
    if (number := value.get("intValue")) is not None:
        return int(number)
    if (real := value.get("doubleValue")) is not None:
        return float(real) if math.isfinite(float(real)) else None
    if (array := value.get("arrayValue")) is not None:
        return [_value(item) for item in array.get("values") or []]
    if (members := value.get("kvlistValue")) is not None:
        return _attributes(members.get("values"))
    if (raw := value.get("bytesValue")) is not None:
        return otlp.decode_bytes(base64.b64decode(raw, validate=True))
    return None
