"""A received span, whichever format it was sent in."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Values are JSON values, converted from OpenTelemetry's as Laminar's server does.
Attributes = dict[str, Any]


class Event(NamedTuple):
    """An event within a span; its timestamp is in nanoseconds since 1970."""

    timestamp: int
    name: str
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """A span: ids are UUID texts, times are nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: int
    end: int
    attributes: Attributes
    events: list[Event] = field(default_factory=list)


class Batch(NamedTuple):
    """The spans of one request, and for each span that was refused the reason."""

    spans: list[Span]
    refusals: list[str]


class InvalidSpansError(ValueError):
    """The body cannot be decoded as spans of its content type."""
