"""Parse rows of Laminar's SQL tables `traces` and `spans` into typed values. A bad row never hides the others."""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar
from uuid import UUID

from reviewapp.lib import canonical_json

T = TypeVar("T")

# Events of one span that are read; an event takes ten times as much memory as its text.
MAX_EVENTS = 10_000
_NIL = UUID(int=0)
# Years of times that every later computation and both databases can hold. Laminar's own end in 2299.
_FIRST_YEAR, _LAST_YEAR = 1900, 2999


class InvalidColumnError(ValueError):
    """A column cannot be read; the message names it and says why, without a full stop."""


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that cannot be used, and why, without a full stop. `id` and `start_time` are None if unreadable too."""

    id: UUID | None
    reason: str
    start_time: datetime | None = None
    trace_type: str = "DEFAULT"
    is_too_long: bool = False


class ParsedRows(NamedTuple, Generic[T]):
    """The rows of a response: those that could be read, in order, and the others."""

    readable: list[T]
    unreadable: list[UnreadableRow]

    @property
    def total(self) -> int:
        return len(self.readable) + len(self.unreadable)


class SpanEvent(TypedDict):
    """An event of a span: `timestamp` is nanoseconds since 1970, `attributes` is JSON text."""

    timestamp: int
    name: str
    attributes: str


# No events, and no reason why some are left out.
_NO_EVENTS: tuple[list[SpanEvent], str] = ([], "")


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One trace. Times are UTC, truncated to microseconds; durations are seconds; costs are US dollars.

    `metadata` is the raw JSON text: Laminar's filters compare spellings, so 1.0 and 1 must stay different.
    `tags` are the spans' tags at ingest, `trace_tags` those set in Laminar's UI.
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
    """One span. Units as in TraceRow; `path` is joined by dots; `parent_span_id` is None for a root.

    `input`, `output`, `attributes` and `tool_definitions` are texts as Laminar stores them, usually JSON. `event_error`
    says why some of its events are left out, without a full stop; empty if none is.
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
    event_error: str
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


def parse_rows(rows: Iterable[Mapping[str, Any]], parse: Callable[[Mapping[str, Any]], T]) -> ParsedRows[T]:
    """Parse each row by itself."""
    parsed: ParsedRows[T] = ParsedRows([], [])
    for row in rows:
        try:
            parsed.readable.append(parse(row))
        except InvalidColumnError as error:
            parsed.unreadable.append(identify_row(row, str(error)))
    return parsed


def identify_row(row: Mapping[str, Any], reason: str, *, is_too_long: bool = False) -> UnreadableRow:
    """Describe a row that cannot be used by those of its columns that can."""
    trace_type = row.get("trace_type")
    return UnreadableRow(
        id=_read_or_none(row, "span_id" if "span_id" in row else "id", _parse_uuid),
        reason=reason,
        start_time=_read_or_none(row, "start_time", _parse_time),
        trace_type=trace_type if isinstance(trace_type, str) else "DEFAULT",
        is_too_long=is_too_long,
    )


def parse_trace_row(row: Mapping[str, Any]) -> TraceRow:
    """Parse a row of `traces`. Columns that a server may lack become empty. Raises InvalidColumnError."""
    return TraceRow(
        id=_read(row, "id", _parse_uuid),
        start_time=_read(row, "start_time", _parse_time),
        end_time=_read(row, "end_time", _parse_time),
        duration=_read(row, "duration", _parse_float, 0.0),
        metadata=parse_metadata_row(row)[1],
        session_id=_read(row, "session_id", _parse_text, ""),
        user_id=_read(row, "user_id", _parse_text, ""),
        status=_read(row, "status", _parse_text, ""),
        trace_type=_read(row, "trace_type", _parse_text, "DEFAULT"),
        top_span_id=_read_span_id(row, "top_span_id"),
        top_span_name=_read(row, "top_span_name", _parse_text, ""),
        top_span_type=_read(row, "top_span_type", _parse_text, ""),
        tags=_read(row, "tags", _parse_text_list, []),
        trace_tags=_read(row, "trace_tags", _parse_text_list, []),
        span_names=_read(row, "span_names", _parse_text_list, []),
        has_browser_session=_read(row, "has_browser_session", bool, False),
        **_read_usage(row),
    )


def parse_metadata_row(row: Mapping[str, Any]) -> tuple[UUID, str]:
    """Parse only the id and the metadata of a row of `traces`. Raises InvalidColumnError."""
    return _read(row, "id", _parse_uuid), _read(row, "metadata", _parse_text) or "{}"


def parse_span_row(row: Mapping[str, Any]) -> SpanRow:
    """Parse a row of `spans`. Columns that a server may lack become empty. Raises InvalidColumnError."""
    events, event_error = _read(row, "events", _parse_events, _NO_EVENTS)
    return SpanRow(
        span_id=_read(row, "span_id", _parse_uuid),
        trace_id=_read(row, "trace_id", _parse_uuid),
        parent_span_id=_read_span_id(row, "parent_span_id"),
        name=_read(row, "name", _parse_text),
        path=_read(row, "path", _parse_text, ""),
        span_type=_read(row, "span_type", _parse_text, "DEFAULT"),
        status=_read(row, "status", _parse_text, ""),
        start_time=_read(row, "start_time", _parse_time),
        end_time=_read(row, "end_time", _parse_time),
        duration=_read(row, "duration", _parse_float, 0.0),
        input=_read(row, "input", _parse_attributes, ""),
        output=_read(row, "output", _parse_attributes, ""),
        attributes=_read(row, "attributes", _parse_attributes, "") or "{}",
        tool_definitions=_read(row, "tool_definitions", _parse_attributes, ""),
        tags=_read(row, "tags", _parse_text_list, []),
        events=events,
        event_error=event_error,
        model=_read(row, "model", _parse_text, ""),
        request_model=_read(row, "request_model", _parse_text, ""),
        response_model=_read(row, "response_model", _parse_text, ""),
        provider=_read(row, "provider", _parse_text, ""),
        **_read_usage(row),
    )


def read_id(row: Mapping[str, Any], column: str) -> UUID:
    """Read an id; the nil id if the column is missing. Raises InvalidColumnError."""
    return _read(row, column, _parse_uuid, _NIL)


def read_text(row: Mapping[str, Any], column: str) -> str:
    """Read a text, or JSON as text; empty if the column is missing. Raises InvalidColumnError."""
    return _read(row, column, _parse_attributes, "")


def read_count(row: Mapping[str, Any], column: str) -> int:
    """Read a whole number; 0 if the column is missing. Raises InvalidColumnError."""
    return _read(row, column, _parse_int, 0)


def read_time(row: Mapping[str, Any], column: str) -> datetime:
    """Read a time. Raises InvalidColumnError."""
    return _read(row, column, _parse_time)


def _read_usage(row: Mapping[str, Any]) -> dict[str, Any]:
    tokens = ("input", "output", "total", "cache_read_input", "cache_creation_input", "reasoning")
    usage: dict[str, Any] = {f"{kind}_tokens": _read(row, f"{kind}_tokens", _parse_int, 0) for kind in tokens}
    usage |= {f"{kind}_cost": _read(row, f"{kind}_cost", _parse_float, 0.0) for kind in ("input", "output", "total")}
    return usage


def _read(row: Mapping[str, Any], column: str, convert: Callable[[Any], T], default: T | None = None) -> T:
    value = row.get(column)
    if value is None and default is not None:
        return default
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise InvalidColumnError(f"“{column}” is not {_EXPECTED.get(convert, 'valid')}") from None


def _read_or_none(row: Mapping[str, Any], column: str, convert: Callable[[Any], T]) -> T | None:
    with suppress(InvalidColumnError):
        return _read(row, column, convert)
    return None


def _read_span_id(row: Mapping[str, Any], column: str) -> UUID | None:
    span_id = _read(row, column, _parse_uuid, _NIL)
    return None if span_id == _NIL else span_id


def _parse_uuid(value: Any) -> UUID:
    return UUID(_parse_text(value))


def _parse_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    # A database cannot store NUL or a lone surrogate; JSON from Laminar has neither unescaped.
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _parse_text_list(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(value)
    return [_parse_text(item) for item in value]


def _parse_time(value: Any) -> datetime:
    moment = datetime.fromisoformat(_parse_text(value))
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(value)
    return moment


def _parse_int(value: Any) -> int:
    number = _parse_nanoseconds(value)
    if abs(number) >= 2**63:
        raise OverflowError(value)
    return number


def _parse_nanoseconds(value: Any) -> int:
    # ClickHouse can be configured to write 64-bit integers as strings.
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError(value)
    number = int(value)
    if abs(number) >= 2**64:
        raise OverflowError(value)
    return number


def _parse_float(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _parse_events(value: Any) -> tuple[list[SpanEvent], str]:
    """Return the events that can be read, and why others cannot."""
    if not isinstance(value, list):
        raise TypeError(value)
    events, error = [], ""
    for item in value[:MAX_EVENTS]:
        try:
            events.append(_parse_event(item))
        except InvalidColumnError as caught:
            error = f"of an event, {caught}"
    if len(value) > MAX_EVENTS:
        note = f"{len(value) - MAX_EVENTS:,} more events of this span are in Laminar and not stored here."
        events.append(SpanEvent(timestamp=0, name=note, attributes="{}"))
    return events, error


def _parse_event(item: Any) -> SpanEvent:
    if not isinstance(item, dict):
        raise InvalidColumnError("“events” has an entry that is not an object")
    return SpanEvent(
        timestamp=_read(item, "timestamp", _parse_nanoseconds, 0),
        name=_read(item, "name", _parse_text, ""),
        attributes=_read(item, "attributes", _parse_attributes, ""),
    )


def _parse_attributes(value: Any) -> str:
    """Accept JSON itself beside its text: ClickHouse has a type for it."""
    if not isinstance(value, (str, dict, list)):
        raise TypeError(value)
    return _parse_text(value) if isinstance(value, str) else canonical_json.dumps(value)


# What a column has to be, for people.
_EXPECTED: Mapping[Callable[[Any], Any], str] = {
    _parse_uuid: "an id",
    _parse_text: "a text",
    _parse_text_list: "a list of texts",
    _parse_time: f"a time between {_FIRST_YEAR} and {_LAST_YEAR}",
    _parse_int: "a whole number below 2^63",
    _parse_nanoseconds: "a whole number below 2^64",
    _parse_float: "a finite number",
    _parse_events: "a list",
    _parse_attributes: "a text",
}
