"""Traces of an agent that talks long: each model call repeats all that was said before it, as they do.

`python -m benchmarks.desk ITEMS PEOPLE SPANS` fills a desk with them.
"""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from reviewapp.traces.models import Span, Trace

TOOLS = ("search_orders", "read_policy", "send_quote")
ASKED, SAID, FOUND = 300, 400, 600


def make_spans(trace: Trace, count: int, text: Callable[[int], str]) -> list[Span]:
    """`count` spans of a trace, not saved: an agent's own, then a model call and a tool call in turns.

    `text` makes a text of so many characters.
    """
    root = UUID(int=random.getrandbits(128))
    told: list[dict[str, Any]] = [{"role": "system", "content": text(1_200)}, {"role": "user", "content": text(ASKED)}]
    asked = told[1]["content"]
    made = []
    for number in range(1, count):
        if number % 2 == 0:
            made.append(_tool(trace, number, root, told, text(FOUND)))
            continue
        given = json.dumps(told)
        answer: dict[str, Any] = {"role": "assistant", "content": text(SAID)}
        if number + 2 < count:
            call = {"name": TOOLS[number % 3], "arguments": json.dumps({"query": text(40)})}
            answer["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": call}]
        told.append(answer)
        made.append(_span(trace, number, "chat", "LLM", root, given, json.dumps([answer])))
    top = _span(trace, 0, "support-agent", "DEFAULT", None, json.dumps({"question": asked}), told[-1]["content"])
    top.span_id = root
    return [top, *made]


def _tool(trace: Trace, number: int, root: UUID, told: list[dict[str, Any]], found: str) -> Span:
    call: dict[str, Any] = (
        told[-1]["tool_calls"][0] if "tool_calls" in told[-1] else {"id": "", "function": {"name": "idle"}}
    )
    result = json.dumps({"found": found, "count": 3, "score": 0.75})
    told.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    return _span(trace, number, call["function"]["name"], "TOOL", root, call["function"].get("arguments", "{}"), result)


def _span(trace: Trace, number: int, name: str, kind: str, root: UUID | None, given: str, said: str) -> Span:
    assert trace.start_time is not None
    start = trace.start_time + timedelta(seconds=number)
    return Span(
        trace=trace, span_id=UUID(int=random.getrandbits(128)), parent_span_id=root, name=name, span_type=kind,
        status="success", start_time=start, end_time=start + timedelta(seconds=0.9), input=given, output=said,
        model="gpt-4o-mini" if kind == "LLM" else "", total_tokens=900 if kind == "LLM" else 0,
    )  # fmt: skip
