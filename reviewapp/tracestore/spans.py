"""A received span, whichever format it was sent in."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Events that one request may have. More fit into a body only if they are empty, and take a hundred times its memory.
MAX_EVENTS = 400_000

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


class InvalidSpansError(ValueError):
    """The body cannot be decoded as spans of its content type."""


class InvalidSpanError(ValueError):
    """One span of a request cannot be decoded; the others can."""


@dataclass(slots=True)
class Batch:
    """The spans of one request, and for each span that was refused the reason."""

    spans: list[Span] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    event_count: int = 0

    def count_events(self, count: int) -> None:
        """Count the events of a span before they are decoded. Raises InvalidSpanError beyond `MAX_EVENTS`."""
        if self.event_count + count > MAX_EVENTS:
            raise InvalidSpanError(f"more than {MAX_EVENTS:,} events in one request; send fewer at once")
        self.event_count += count
