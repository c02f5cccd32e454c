"""Rows of Laminar's SQL tables `traces` and `spans` as typed values."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar
from uuid import UUID

from reviewapp.laminar.errors import UnexpectedResponse
from reviewapp.lib import canonical_json

T = TypeVar("T")

_NIL = UUID(int=0)


class SpanEvent(TypedDict):
    """An event of a span: `timestamp` in nanoseconds since 1970, `attributes` as JSON text."""

    timestamp: int
    name: str
    attributes: str


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One trace. Times are UTC, cut to microseconds; duration in seconds; costs in US dollars.

    `metadata` is its raw JSON text: a filter there compares spellings, so 1.0 and 1 must stay apart.
    `tags` are the spans' tags as they were at ingest, `trace_tags` those set in Laminar's own pages.
    """

    id: UUID
    start_time: datetime
    end_time: datetime
    duration: float
    metadata: str
    session_id: str
    user_id: str
    status: str
    trace_type: str
    top_span_id: UUID | None
    top_span_name: str
    top_span_type: str
    tags: list[str]
    trace_tags: list[str]
    span_names: list[str]
    has_browser_session: bool
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    reasoning_tokens: int
    input_cost: float
    output_cost: float
    total_cost: float


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span. Times and costs as in TraceRow; `path` is joined by dots; `parent_span_id` is None for a root.

    `input`, `output`, `attributes` and `tool_definitions` are the texts as Laminar keeps them, usually JSON.
    """

    span_id: UUID
    trace_id: UUID
    parent_span_id: UUID | None
    name: str
    path: str
    span_type: str
    status: str
    start_time: datetime
    end_time: datetime
    duration: float
    input: str
    output: str
    attributes: str
    tool_definitions: str
    tags: list[str]
    events: list[SpanEvent]
    model: str
    request_model: str
    response_model: str
    provider: str
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    reasoning_tokens: int
    input_cost: float
    output_cost: float
    total_cost: float


def parse_trace_row(row: Mapping[str, Any]) -> TraceRow:
    """A row of `traces`. Columns that a server may lack become empty. Raises UnexpectedAnswer."""
    return TraceRow(
        id=_read(row, "id", _uuid),
        start_time=_read(row, "start_time", _time),
        end_time=_read(row, "end_time", _time),
        duration=_read(row, "duration", _real, 0.0),
        metadata=metadata_row(row)[1],
        session_id=_read(row, "session_id", _text, ""),
        user_id=_read(row, "user_id", _text, ""),
        status=_read(row, "status", _text, ""),
        trace_type=_read(row, "trace_type", _text, "DEFAULT"),
        top_span_id=_span(row, "top_span_id"),
        top_span_name=_read(row, "top_span_name", _text, ""),
        top_span_type=_read(row, "top_span_type", _text, ""),
        tags=_read(row, "tags", _texts, []),
        trace_tags=_read(row, "trace_tags", _texts, []),
        span_names=_read(row, "span_names", _texts, []),
        has_browser_session=_read(row, "has_browser_session", bool, False),
        **_usage(row),
    )


def metadata_row(row: Mapping[str, Any]) -> tuple[UUID, str]:
    """Of a row of `traces` just the id and the metadata. Raises UnexpectedAnswer."""
    return _read(row, "id", _uuid), _read(row, "metadata", _text) or "{}"


def parse_span_row(row: Mapping[str, Any]) -> SpanRow:
    """A row of `spans`. Columns that a server may lack become empty. Raises UnexpectedAnswer."""
    return SpanRow(
        span_id=_read(row, "span_id", _uuid),
        trace_id=_read(row, "trace_id", _uuid),
        parent_span_id=_span(row, "parent_span_id"),
        name=_read(row, "name", _text),
        path=_read(row, "path", _text, ""),
        span_type=_read(row, "span_type", _text, "DEFAULT"),
        status=_read(row, "status", _text, ""),
        start_time=_read(row, "start_time", _time),
        end_time=_read(row, "end_time", _time),
        duration=_read(row, "duration", _real, 0.0),
        input=_read(row, "input", _text, ""),
        output=_read(row, "output", _text, ""),
        attributes=_read(row, "attributes", _text, "") or "{}",
        tool_definitions=_read(row, "tool_definitions", _text, ""),
        tags=_read(row, "tags", _texts, []),
        events=_read(row, "events", _events, []),
        model=_read(row, "model", _text, ""),
        request_model=_read(row, "request_model", _text, ""),
        response_model=_read(row, "response_model", _text, ""),
        provider=_read(row, "provider", _text, ""),
        **_usage(row),
    )


def _usage(row: Mapping[str, Any]) -> dict[str, Any]:
    tokens = ("input", "output", "total", "cache_read_input", "cache_creation_input", "reasoning")
    found: dict[str, Any] = {f"{kind}_tokens": _read(row, f"{kind}_tokens", _whole, 0) for kind in tokens}
    return found | {f"{kind}_cost": _read(row, f"{kind}_cost", _real, 0.0) for kind in ("input", "output", "total")}


def _read(row: Mapping[str, Any], column: str, convert: Callable[[Any], T], absent: T | None = None) -> T:
    value = row.get(column)
    if value is None and absent is not None:
        return absent
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError):
        message = f"Laminar's answer holds no usable “{column}”. Check that the base URL leads to Laminar."
        raise UnexpectedResponse(message, status=200) from None


def _span(row: Mapping[str, Any], column: str) -> UUID | None:
    found = _read(row, column, _uuid, _NIL)
    return None if found == _NIL else found


def _uuid(value: Any) -> UUID:
    return UUID(_text(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    # A database cannot store NUL or half of a character; JSON written by Laminar holds neither unescaped.
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value]


def _time(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole(value: Any) -> int:
    # ClickHouse can be set to write 64-bit integers as texts.
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError(value)
    number = int(value)
    if abs(number) >= 2**63:
        raise OverflowError(value)
    return number


def _real(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _events(value: Any) -> list[SpanEvent]:
    return [_event(item) for item in value]


def _event(item: Any) -> SpanEvent:
    if not isinstance(item, dict):
        raise TypeError(item)
    return SpanEvent(
        timestamp=_read(item, "timestamp", _whole, 0),
        name=_read(item, "name", _text, ""),
        attributes=_read(item, "attributes", _json_text, ""),
    )


def _json_text(value: Any) -> str:
    return _text(value) if isinstance(value, str) else canonical_json.dumps(value)
