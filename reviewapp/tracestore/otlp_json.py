"""Decode OTLP in JSON as leniently as Laminar does: ids in hex or base64, times as text or number."""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar

from reviewapp.tracestore import ids, otlp, partial_json, values
from reviewapp.tracestore.spans import Attributes, Batch, Event, InvalidSpanError, InvalidSpansError, Span

_Kind = TypeVar("_Kind", dict[str, Any], list[Any], str, bool)
_REAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|NaN|-?Infinity")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_INT64 = range(-(2**63), 2**63)
_UINT64 = range(2**64)
# How deep a request nests its spans.
_SPAN_DEPTH = 6


def decode(body: bytes) -> Batch:
    """Returns the spans of an ExportTraceServiceRequest in JSON. Raises InvalidSpansError."""
    try:
        request = partial_json.loads(body, _SPAN_DEPTH)
        resources = _list(_object(request).get("resourceSpans"))
    except ValueError as error:
        raise InvalidSpansError(str(error)) from None
    batch = Batch()
    for scope in _members(resources, "scopeSpans", batch.refusals):
        for span in _members([scope], "spans", batch.refusals):
            try:
                batch.spans.append(_span(_object(span), batch))
            except (InvalidSpanError, ids.InvalidIdError) as error:
                batch.refusals.append(str(error))
    return batch


def encode_response(refused: int, message: str) -> bytes:
    """Encode an ExportTraceServiceResponse that tells how many spans were refused, and why."""
    # Protobuf writes 64-bit integers as strings in JSON.
    return json.dumps({"partialSuccess": {"rejectedSpans": str(refused), "errorMessage": message}}).encode()


def _members(containers: list[Any], name: str, refusals: list[str]) -> Iterator[Any]:
    """Yield what the containers list under `name`; a container that is none is refused like one span."""
    for container in containers:
        try:
            yield from _list(_object(container).get(name))
        except InvalidSpanError as error:
            refusals.append(str(error))


def _span(span: dict[str, Any], batch: Batch) -> Span:
    parent, events = span.get("parentSpanId"), _list(span.get("events"))
    batch.count_events(len(events))
    return Span(
        trace_id=ids.trace(ids.from_text(span.get("traceId"), 16)),
        span_id=ids.span(ids.from_text(span.get("spanId"), 8)),
        parent_id=ids.span(ids.from_text(parent, 8)) if parent else ids.NIL,
        name=_text(span.get("name")),
        start=_integer(span.get("startTimeUnixNano"), _UINT64),
        end=_integer(span.get("endTimeUnixNano"), _UINT64),
        attributes=_attributes(span.get("attributes")),
        events=[_event(_object(event)) for event in events],
    )


def _event(event: dict[str, Any]) -> Event:
    time = _integer(event.get("timeUnixNano"), _UINT64)
    return Event(time, _text(event.get("name")), _attributes(event.get("attributes")))


def _attributes(pairs: Any) -> Attributes:
    return {key: values.storable(value) for key, value in _pairs(pairs)}


def _pairs(pairs: Any) -> Iterator[tuple[str, Any]]:
    for pair in map(_object, _list(pairs)):
        yield _text(pair.get("key")), _value(_object(pair.get("value")))


def _value(value: dict[str, Any]) -> Any:
    if (text := value.get("stringValue")) is not None:
        return otlp.unwrap_quotes(_text(text))
    if (flag := value.get("boolValue")) is not None:
        return _require(flag, bool)
    if (number := value.get("intValue")) is not None:
        return _integer(number, _INT64)
    if (real := value.get("doubleValue")) is not None:
        return _real(real)
    if (array := value.get("arrayValue")) is not None:
        return [_value(_object(item)) for item in _list(_object(array).get("values"))]
    if (members := value.get("kvlistValue")) is not None:
        return dict(_pairs(_object(members).get("values")))
    if (raw := value.get("bytesValue")) is not None:
        return _bytes(raw)
    return None


def _object(value: Any) -> dict[str, Any]:
    return _require(value, dict) or {}


def _list(value: Any) -> list[Any]:
    return _require(value, list) or []


def _text(value: Any) -> str:
    return _require(value, str) or ""


def _require(value: Any, kind: type[_Kind]) -> _Kind | None:
    """Returns a value of this kind, or None for null. Raises InvalidSpanError."""
    if value is None or isinstance(value, kind):
        return value
    if isinstance(value, partial_json.Invalid):
        raise InvalidSpanError(value.reason)
    raise InvalidSpanError(f"invalid type: expected {kind.__name__}, got {type(value).__name__}")


def _integer(value: Any, limits: range) -> int:
    """Returns an integer sent as number or text, 0 for null or empty text."""
    if value is None or value == "":
        return 0
    is_text = isinstance(value, str) and _INTEGER.fullmatch(value)
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if not (is_text or is_number) or (isinstance(value, Decimal) and not (abs(value) < 2**64 and value == int(value))):
        raise InvalidSpanError("invalid value: expected a 64-bit integer")
    number = int(value)
    if number not in limits:
        raise InvalidSpanError("invalid value: expected a 64-bit integer")
    return number


def _real(value: Any) -> float | None:
    """Returns a finite number; None for one that JSON cannot express. Raises InvalidSpanError."""
    is_text = isinstance(value, str) and _REAL.fullmatch(value)
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if not (is_text or is_number):
        raise InvalidSpanError("invalid value: expected a number")
    number = float(value)
    return number if math.isfinite(number) else None


def _bytes(value: Any) -> Any:
    try:
        return values.parse_bytes(base64.b64decode(_text(value), validate=True))
    except (binascii.Error, ValueError):
        raise InvalidSpanError("invalid value: expected base64") from None
