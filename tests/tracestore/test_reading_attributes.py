"""Columns read from a span's attributes: type, input, output, parent, tokens, costs, status."""

import json
from typing import Any

import httpx
import pytest

from tests.tracestore.store_calls import (
    NIL_ID,
    START,
    fetch_spans,
    fetch_trace,
    make_span,
    send_span,
    send_spans,
    span_id,
)

CHAT = {"gen_ai.operation.name": "chat"}


def _send_and_fetch(client: httpx.Client, trace_id: str, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    send_span(client, trace_id, attributes, **more)
    return fetch_spans(client, trace_id)[0]


@pytest.mark.parametrize(
    ("attributes", "span_type"),
    [
        ({}, "DEFAULT"),
        (CHAT | {"lmnr.span.type": "TOOL"}, "TOOL"),
        ({"lmnr.span.type": "PIPELINE"}, "UNKNOWN"),
        ({"lmnr.span.type": "nonsense"}, "DEFAULT"),
        (CHAT, "LLM"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.system": "openai"}, "TOOL"),
        ({"gen_ai.tool.call.id": "1"}, "TOOL"),
        ({"gen_ai.request.model": "gpt-4o"}, "LLM"),
    ],
)
def test_it_detects_the_type(
    full_client: httpx.Client, trace_id: str, attributes: dict[str, Any], span_type: str
) -> None:
    assert _send_and_fetch(full_client, trace_id, attributes)["span_type"] == span_type


VERCEL_CALLS = '[{"toolCallId":"c1","toolName":"lookup","input":"{\\"order\\":\\"A-17\\"}"}]'
VERCEL_OUTPUT = (
    '[{"role":"assistant","content":[{"type":"text","text":"Let me look."},'
    '{"type":"tool_call","name":"lookup","id":"c1","arguments":{"order":"A-17"}}]}]'
)
MESSAGES = '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"lmnr.span.input": "plain"}, "plain"),
        ({"lmnr.span.input": '{"a": [1, 2.50]}'}, '{"a":[1,2.50]}'),
        ({"lmnr.span.input": f"[1.10, 1e999, -0, {'9' * 30}]"}, f"[1.10,1e999,-0,{'9' * 30}]"),
        ({"lmnr.span.input": "[1, NaN]"}, "[1, NaN]"),
        ({"lmnr.span.input": '{"a": 1, "a": 2}'}, '{"a": 1, "a": 2}'),
        ({"lmnr.span.input": "1.10"}, "1.10"),
        ({"lmnr.span.input": '"\\"twice\\""'}, "twice"),
        ({"lmnr.span.input": "{not json"}, "{not json"),
        ({"lmnr.span.input": "bell\x07 rings"}, "bell rings"),
        (CHAT | {"lmnr.span.input": "wins", "gen_ai.input.messages": MESSAGES}, "wins"),
        (CHAT | {"gen_ai.input.messages": MESSAGES}, MESSAGES),
        (
            CHAT | {"gen_ai.input.messages": MESSAGES, "gen_ai.system_instructions": '[{"content":"be kind"}]'},
            f'[{{"role":"system","parts":[{{"content":"be kind"}}]}},{MESSAGES[1:]}',
        ),
        (
            CHAT | {"gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "b", "gen_ai.prompt.0.content": "a"},
            '[{"role":"user","content":"a"},{"role":"user","content":"b"}]',
        ),
        ({"lmnr.span.type": "TOOL", "gen_ai.tool.call.arguments": '{"x": 1}'}, '{"x":1}'),
        (
            CHAT
            | {
                "gen_ai.prompt.0.role": "assistant",
                "gen_ai.prompt.0.tool_calls.0.name": "lookup",
                "gen_ai.prompt.0.tool_calls.0.arguments": '{"order":"A-17"}',
                "gen_ai.prompt.1.role": "tool",
                "gen_ai.prompt.1.tool_call_id": "c1",
                "gen_ai.prompt.1.content": "late",
            },
            '[{"role":"assistant","content":[{"type":"tool_call","name":"lookup","arguments":{"order":"A-17"}}]},'
            '{"role":"tool","content":"late","tool_call_id":"c1"}]',
        ),
        ({"ai.prompt": '{"prompt":"Where is my refund?"}'}, '{"prompt":"Where is my refund?"}'),
        ({"traceloop.entity.input": '{"last": "resort"}'}, '{"last":"resort"}'),
        ({"lmnr.span.input": "secret", "lmnr.internal.tracing_level": "meta_only"}, ""),
    ],
)
def test_it_shows_the_input(
    full_client: httpx.Client, trace_id: str, attributes: dict[str, Any], expected: str
) -> None:
    assert _send_and_fetch(full_client, trace_id, attributes)["input"] == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"lmnr.span.output": "5"}, "5"),
        (CHAT | {"gen_ai.completion.0.content": "c"}, '[{"role":"user","content":"c"}]'),
        (CHAT | {"ai.response.text": "Soon.", "ai.prompt.messages": "[]"}, "Soon."),
        (CHAT | {"ai.response.object": '{"refund": true}'}, '{"refund":true}'),
        (CHAT | {"ai.response.text": "Let me look.", "ai.response.toolCalls": VERCEL_CALLS}, VERCEL_OUTPUT),
        ({"ai.prompt": "{}", "ai.response.text": "Soon."}, "Soon."),
        ({"lmnr.span.type": "TOOL", "gen_ai.tool.call.result": "[1, 2]"}, "[1,2]"),
        ({"traceloop.entity.output": "text"}, "text"),
    ],
)
def test_it_shows_the_output(
    full_client: httpx.Client, trace_id: str, attributes: dict[str, Any], expected: str
) -> None:
    assert _send_and_fetch(full_client, trace_id, attributes)["output"] == expected


def test_it_keeps_the_other_attributes(full_client: httpx.Client, trace_id: str) -> None:
    row = _send_and_fetch(
        full_client, trace_id, {"lmnr.span.input": "x", "gen_ai.prompt.0.content": "y", "kept": [1, True, "z"]}
    )
    assert json.loads(row["attributes"]) == {"kept": [1, True, "z"]}


def test_it_drops_a_span_with_tracing_off(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {"lmnr.internal.tracing_level": "off"})
    assert fetch_spans(full_client, trace_id) == []


def test_it_reads_the_parent_from_the_path_of_ids(full_client: httpx.Client, trace_id: str) -> None:
    attributes = {"lmnr.span.ids_path": [span_id(7), span_id(2)], "lmnr.span.path": ["agent", "child"]}
    row = _send_and_fetch(full_client, trace_id, attributes, number=2, parent=5, name="child")
    assert (row["parent_span_id"], row["path"]) == (span_id(7), "agent.child")


def test_it_makes_the_first_span_of_both_paths_a_root(full_client: httpx.Client, trace_id: str) -> None:
    attributes = {"lmnr.span.ids_path": [span_id(2)], "lmnr.span.path": ["agent"]}
    assert (
        _send_and_fetch(full_client, trace_id, attributes, number=2, parent=5, name="agent")["parent_span_id"] == NIL_ID
    )


def test_it_makes_a_span_with_an_overridden_parent_a_root(full_client: httpx.Client, trace_id: str) -> None:
    row = _send_and_fetch(full_client, trace_id, {"lmnr.internal.override_parent_span": True}, number=2, parent=5)
    assert row["parent_span_id"] == NIL_ID


def test_it_reports_an_error_only_for_an_exception_event(full_client: httpx.Client, trace_id: str) -> None:
    with_exception = make_span(trace_id, 1, events=["exception"])
    with_error_code = make_span(trace_id, 2, parent=1, start=START + 1)
    with_error_code.status.code = 2  # type: ignore[assignment]
    send_spans(full_client, with_exception, with_error_code)
    assert [row["status"] for row in fetch_spans(full_client, trace_id)] == ["error", "success"]


def test_it_shows_events_as_objects(full_client: httpx.Client, trace_id: str) -> None:
    row = _send_and_fetch(full_client, trace_id, {}, events=["note"])
    assert row["events"] == [{"timestamp": START, "name": "note", "attributes": "{}"}]


def test_it_reads_tokens_and_costs_of_llm_spans(full_client: httpx.Client, trace_id: str) -> None:
    usage = {"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.reasoning_tokens": 2}
    costs = {"gen_ai.usage.input_cost": 0.25, "gen_ai.usage.output_cost": 0.5}
    row = _send_and_fetch(
        full_client, trace_id, CHAT | usage | costs | {"gen_ai.system": "openai.chat", "gen_ai.request.model": "gpt"}
    )
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"], row["reasoning_tokens"]) == (10, 5, 15, 2)
    assert (row["total_cost"], row["provider"], row["model"]) == (0.75, "openai", "gpt")


def test_it_unwraps_quoted_text_but_not_numbers_or_objects_in_text(full_client: httpx.Client, trace_id: str) -> None:
    prefix = "lmnr.association.properties.metadata."
    send_span(full_client, trace_id, {f"{prefix}a": '"quoted"', f"{prefix}b": "5", f"{prefix}c": '{"d":1}'})
    assert fetch_trace(full_client, trace_id)["metadata"] == r'{"a":"quoted","b":"5","c":"{\"d\":1}"}'
