"""A sample trace with its spans, before it is sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DemoSpan:
    """A span; `input` and `output` are JSON or plain text, costs are in dollars, `duration` is in seconds.

    `events` are {name, timestamp (nanoseconds since 1970), attributes (text to text)}.
    """

    span_id: UUID
    parent_span_id: UUID | None
    name: str
    span_type: str
    start_time: datetime
    end_time: datetime
    input: str = ""
    output: str = ""
    model: str = ""
    provider: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    input_cost: float = 0.0
    output_cost: float = 0.0
    events: tuple[dict[str, Any], ...] = ()

    @property
    def status(self) -> str:
        return "error" if self.events else "success"

    @property
    def duration(self) -> float:
        return (self.end_time - self.start_time).total_seconds()

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def total_cost(self) -> float:
        return self.input_cost + self.output_cost


@dataclass(frozen=True, slots=True)
class DemoTrace:
    """A trace; `metadata` holds the JSON values that the application sets. The first span is the top span."""

    trace_id: UUID
    metadata: dict[str, Any]
    session_id: str
    user_id: str
    tags: tuple[str, ...]
    spans: tuple[DemoSpan, ...]

    @property
    def name(self) -> str:
        return self.spans[0].name

    @property
    def start_time(self) -> datetime:
        return self.spans[0].start_time

    @property
    def end_time(self) -> datetime:
        return max(span.end_time for span in self.spans)
