"""Decode POST /v1/spans: spans in plain JSON, without OpenTelemetry."""

from typing import Any
from uuid import uuid4

from reviewapp.lib import exact_json
from reviewapp.tracestore import ids, partial_json, timestamps, values
from reviewapp.tracestore.spans import InvalidSpanError, InvalidSpansError, Span

# How deep a body nests its spans.
_SPAN_DEPTH = 1


def decode(body: bytes) -> list[Span | InvalidSpanError]:
    """Returns for each of `[{name, startTime, endTime, ...}]` the span, or why it is none. Raises InvalidSpansError."""
    try:
        items = partial_json.loads(body, _SPAN_DEPTH)
    except ValueError as error:
        raise InvalidSpansError(str(error)) from None
    if not isinstance(items, list):
        raise InvalidSpansError("invalid type: expected a sequence of spans")
    return [_span_or_error(item) for item in items]


def _span_or_error(item: Any) -> Span | InvalidSpanError:
    try:
        return _span(item)
    except InvalidSpanError as error:
        return error


def _span(item: Any) -> Span:
    if isinstance(item, partial_json.Invalid):
        raise InvalidSpanError(item.reason)
    if not isinstance(item, dict):
        raise InvalidSpanError("invalid type: expected a span")
    missing = [key for key in ("name", "startTime", "endTime") if not isinstance(item.get(key), str)]
    if missing:
        raise InvalidSpanError(f"missing field `{missing[0]}`")
    try:
        return Span(
            trace_id=_parse_id(item.get("traceId")) or str(uuid4()),
            span_id=_parse_id(item.get("spanId")) or str(uuid4()),
            parent_id=_parse_id(item.get("parentSpanId")) or ids.NIL,
            name=item["name"],
            start=timestamps.parse(item["startTime"]),
            end=timestamps.parse(item["endTime"]),
            attributes=_attributes(item),
        )
    except (ids.InvalidIdError, timestamps.InvalidTimeError) as error:
        raise InvalidSpanError(str(error)) from None


def _parse_id(value: object) -> str:
    return "" if value is None else ids.uuid(value)


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    attributes = item.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise InvalidSpanError("invalid type: expected a map of attributes")
    extra = {"lmnr.span.type": item.get("spanType")} if item.get("spanType") else {}
    for field in ("input", "output"):
        if item.get(field) is not None:
            extra[f"lmnr.span.{field}"] = exact_json.dumps(item[field])
    return {key: values.storable(value) for key, value in (attributes | extra).items()}
