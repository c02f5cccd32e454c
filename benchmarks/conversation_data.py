"""Traces of long agent conversations: each model call repeats all messages before it, as real agents do.

`python -m benchmarks.queue_data ITEMS PEOPLE SPANS` creates a queue of them.
"""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from reviewapp.traces.models import Span, Trace

TOOLS = ("search_orders", "read_policy", "send_quote")
QUESTION_SIZE, ANSWER_SIZE, RESULT_SIZE = 300, 400, 600  # characters


def make_spans(trace: Trace, count: int, make_text: Callable[[int], str]) -> list[Span]:
    """Return `count` unsaved spans of a trace: the agent's own, then model calls and tool calls alternately.

    `make_text` returns a text of the given number of characters.
    """
    top_span_id = UUID(int=random.getrandbits(128))
    system, question = make_text(1_200), make_text(QUESTION_SIZE)
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    spans = []
    for number in range(1, count):
        if number % 2 == 0:
            spans.append(_tool_span(trace, number, top_span_id, messages, make_text(RESULT_SIZE)))
            continue
        input_text = json.dumps(messages)
        response: dict[str, Any] = {"role": "assistant", "content": make_text(ANSWER_SIZE)}
        if number + 2 < count:
            call = {"name": TOOLS[number % 3], "arguments": json.dumps({"query": make_text(40)})}
            response["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": call}]
        messages.append(response)
        spans.append(_span(trace, number, "chat", "LLM", top_span_id, input_text, json.dumps([response])))
    top_input = json.dumps({"question": question})
    top_span = _span(trace, 0, "support-agent", "DEFAULT", None, top_input, messages[-1]["content"])
    top_span.span_id = top_span_id
    return [top_span, *spans]


def _tool_span(trace: Trace, number: int, top_span_id: UUID, messages: list[dict[str, Any]], result_text: str) -> Span:
    call: dict[str, Any] = (
        messages[-1]["tool_calls"][0] if "tool_calls" in messages[-1] else {"id": "", "function": {"name": "idle"}}
    )
    result = json.dumps({"found": result_text, "count": 3, "score": 0.75})
    messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    function = call["function"]
    return _span(trace, number, function["name"], "TOOL", top_span_id, function.get("arguments", "{}"), result)


def _span(
    trace: Trace, number: int, name: str, kind: str, top_span_id: UUID | None, input_text: str, output_text: str
) -> Span:
    assert trace.start_time is not None
    start = trace.start_time + timedelta(seconds=number)
    return Span(
        trace=trace, span_id=UUID(int=random.getrandbits(128)), parent_span_id=top_span_id, name=name, span_type=kind,
        status="success", start_time=start, end_time=start + timedelta(seconds=0.9),
        input=input_text, output=output_text,
        model="gpt-4o-mini" if kind == "LLM" else "", total_tokens=900 if kind == "LLM" else 0,
    )  # fmt: skip
