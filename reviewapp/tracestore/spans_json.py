"""POST /v1/spans: spans in plain JSON, no OpenTelemetry needed."""

import json
from typing import Any
from uuid import uuid4

from reviewapp.tracestore import ids, timestamps
from reviewapp.tracestore.spans import Span, Undecodable


def decode(body: Any) -> list[Span]:
    """The spans of `[{name, startTime, endTime, ...}]`. Raises Undecodable."""
    if not isinstance(body, list):
        raise Undecodable("invalid type: expected a sequence of spans")
    return [_span(item) for item in body]


def _span(item: Any) -> Span:
    if not isinstance(item, dict):
        raise Undecodable("invalid type: expected a span")
    missing = [key for key in ("name", "startTime", "endTime") if not isinstance(item.get(key), str)]
    if missing:
        raise Undecodable(f"missing field `{missing[0]}`")
    try:
        return Span(
            trace_id=_id(item.get("traceId")) or str(uuid4()),
            span_id=_id(item.get("spanId")) or str(uuid4()),
            parent_id=_id(item.get("parentSpanId")) or ids.NIL,
            name=item["name"],
            start=timestamps.parse(item["startTime"]),
            end=timestamps.parse(item["endTime"]),
            attributes=_attributes(item),
        )
    except (ids.NotAnId, timestamps.NotAMoment) as error:
        raise Undecodable(str(error)) from None


def _id(value: object) -> str:
    return "" if value is None else ids.uuid(value)


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    attributes = item.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise Undecodable("invalid type: expected a map of attributes")
    given = {"lmnr.span.type": item.get("spanType")} if item.get("spanType") else {}
    for side in ("input", "output"):
        if item.get(side) is not None:
            given[f"lmnr.span.{side}"] = json.dumps(item[side], ensure_ascii=False, default=float)
    return attributes | given
