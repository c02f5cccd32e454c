"""Spans for transcript tests: a dataclass with the fields of a stored span."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

START_TIME = datetime(2026, 11, 20, 14, 2, tzinfo=UTC)


@dataclass
class FakeSpan:
    span_id: UUID
    parent_span_id: UUID | None = None
    name: str = "step"
    span_type: str = "DEFAULT"
    status: str = "success"
    start_time: datetime | None = START_TIME
    end_time: datetime | None = START_TIME
    input: str = ""
    output: str = ""
    model: str = ""
    total_tokens: int = 0
    total_cost: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def duration(self) -> float:
        return (self.end_time - self.start_time).total_seconds() if self.start_time and self.end_time else 0.0


def span(number: int, parent: int | None = None, span_type: str = "DEFAULT", **fields: Any) -> FakeSpan:
    """Create span `number`, which starts after that many seconds and lasts 0.5 s unless `at` gives (start, end)."""
    start, end = fields.pop("at", (number, number + 0.5))
    for key in ("input", "output"):
        value = fields.get(key, "")
        fields[key] = json.dumps(value) if isinstance(value, (dict, list)) else value
    return FakeSpan(
        span_id=UUID(int=number),
        parent_span_id=None if parent is None else UUID(int=parent),
        span_type=span_type,
        start_time=None if start is None else START_TIME + timedelta(seconds=start),
        end_time=None if end is None else START_TIME + timedelta(seconds=end),
        **fields,
    )


def chat_message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def exception_events(kind: str, message: str, stack: str = "") -> list[dict[str, Any]]:
    """Return a span's events with one exception, its attributes as JSON text as Laminar stores them."""
    attributes = {"exception.type": kind, "exception.message": message, "exception.stacktrace": stack}
    return [{"name": "exception", "timestamp": 1_795_000_000_000_000_000, "attributes": json.dumps(attributes)}]


SYSTEM_PROMPT = chat_message("system", "You are the refund desk.")
QUESTION = chat_message("user", "Where is my refund for order 4471?")
TOOL_CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "function": {"name": "lookup_order", "arguments": '{"order_id":4471}'}}],
}
ANSWER = "It arrives by 23 November."


def refund_spans(**tool_fields: Any) -> list[FakeSpan]:
    """Return the spans of an agent that gets a question, looks up an order and answers."""
    tool_fields = {"output": {"status": "pending"}, **tool_fields}
    tool_result = {"role": "tool", "tool_call_id": "c1", "content": '{"status":"pending"}'}
    conversation = [SYSTEM_PROMPT, QUESTION, TOOL_CALL, tool_result]
    return [
        span(1, name="support-agent", at=(0, 9), input={"question": QUESTION["content"]}, output=ANSWER),
        span(2, 1, "LLM", input=[SYSTEM_PROMPT, QUESTION], output=[{"index": 0, "message": TOOL_CALL}]),
        span(3, 1, "TOOL", name="lookup_order", input={"order_id": 4471}, **tool_fields),
        span(4, 1, "LLM", input=conversation, output=[chat_message("assistant", ANSWER)]),
    ]
