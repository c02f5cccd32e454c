"""A span as it arrives, whatever wire it came by."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Attribute values are JSON values, as Laminar's server makes them of OpenTelemetry's.
Attributes = dict[str, Any]


class Event(NamedTuple):
    """Something that happened within a span, at a time in nanoseconds since 1970."""

    timestamp: int
    name: str
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """One span; ids are UUID texts, times nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: int
    end: int
    attributes: Attributes
    events: list[Event] = field(default_factory=list)


class Undecodable(ValueError):
    """The body is not what its content type promises."""
