"""Spans of other instrumentations, brought to the names, types and columns of Laminar."""

import json
from typing import Any

import httpx
import pytest

from tests.tracestore.store_calls import fetch_spans, fetch_trace, make_span, send_span, send_spans, span_id

MODEL = {"gen_ai.system": "anthropic", "gen_ai.request.model": "m"}
TELEMETRY = "ai.telemetry.metadata."


def _send_and_fetch(client: httpx.Client, trace_id: str, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    send_span(client, trace_id, attributes, **more)
    return fetch_spans(client, trace_id)[0]


def _assert_columns(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {name: row[name] for name in expected} == expected


def test_it_stores_a_tool_call_of_the_vercel_sdk_as_a_tool(full_client: httpx.Client, trace_id: str) -> None:
    attributes = {
        "ai.toolCall.name": "findOrder", "ai.toolCall.id": "c7", "ai.toolCall.args": '{"order": 4471}',
        "ai.toolCall.result": '{"status": "sent"}', "gen_ai.request.model": "m",
    }  # fmt: skip
    row = _send_and_fetch(full_client, trace_id, attributes, name="ai.toolCall")
    _assert_columns(
        row, {"name": "findOrder", "span_type": "TOOL", "input": '{"order":4471}', "output": '{"status":"sent"}'}
    )
    assert json.loads(row["attributes"]) == {"ai.toolCall.id": "c7", "gen_ai.request.model": "m"}


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        (
            "invoke_agent Refunds",
            MODEL | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Refunds",
                     "gen_ai.usage.input_tokens": 70},
            {"name": "Refunds", "path": "Refunds", "span_type": "DEFAULT", "input_tokens": 0, "total_tokens": 0},
        ),
        (
            "execute_tool find_order",
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"},
            {"name": "find_order", "path": "find_order", "span_type": "TOOL"},
        ),
        (
            "execute_tool find_order",
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": ""},
            {"name": "execute_tool find_order"},
        ),
        (
            "ai.generateText",
            {"ai.prompt": '{"prompt":"hi"}', "operation.name": "ai.generateText refunds"},
            {"name": "refunds"},
        ),
    ],
    ids=["agent", "tool", "tool without a name", "function of the Vercel SDK"],
)  # fmt: skip
def test_it_names_a_span_by_what_it_runs(
    full_client: httpx.Client, trace_id: str, name: str, attributes: dict[str, Any], expected: dict[str, Any]
) -> None:
    _assert_columns(_send_and_fetch(full_client, trace_id, attributes, name=name), expected)


def test_it_renames_the_end_of_the_path(full_client: httpx.Client, trace_id: str) -> None:
    attributes = {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find",
        "lmnr.span.path": ["bot", "execute_tool find"], "lmnr.span.ids_path": [span_id(1), span_id(2)],
    }  # fmt: skip
    row = _send_and_fetch(full_client, trace_id, attributes, number=2, name="execute_tool find")
    assert (row["path"], row["parent_span_id"]) == ("bot.find", span_id(1))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"ai.usage.inputTokens": 57, "ai.usage.outputTokens": 5}, (57, 5, 62, 0, 0)),
        ({"ai.usage.inputTokens": 57, "gen_ai.usage.input_tokens": 60}, (60, 0, 60, 0, 0)),
        ({"ai.usage.cachedInputTokens": 8, "ai.usage.inputTokens": 9}, (9, 0, 9, 8, 0)),
        ({"ai.usage.inputTokenDetails.cacheWriteTokens": 8}, (8, 0, 8, 0, 8)),
        ({"gen_ai.usage.details.cache_read_tokens": 3, "gen_ai.usage.input_tokens": 9}, (9, 0, 9, 3, 0)),
        ({"gen_ai.usage.cache_creation.input_tokens": 3, "gen_ai.usage.input_tokens": 9}, (9, 0, 9, 0, 3)),
        ({"gen_ai.usage.cache_read_input_tokens": 1163, "gen_ai.usage.input_tokens": 4}, (1163, 0, 1163, 1163, 0)),
        ({"stream.usage.inputTokens": 11, "stream.usage.outputTokens": 2}, (11, 2, 13, 0, 0)),
    ],
)
def test_it_counts_the_tokens_of_each_instrumentation(
    full_client: httpx.Client, trace_id: str, usage: dict[str, int], expected: tuple[int, ...]
) -> None:
    row = _send_and_fetch(full_client, trace_id, MODEL | usage)
    columns = (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    )
    assert tuple(row[name] for name in columns) == expected


@pytest.mark.parametrize(
    ("name", "attributes", "provider"),
    [
        ("chat", {"gen_ai.system": "OpenAI"}, "openai"),
        ("chat", {"gen_ai.system": "Google.Vertex"}, "google"),
        ("ChatMistralAI.chat", {"gen_ai.system": "Langchain"}, "mistralai"),
        ("model", {"gen_ai.system": "Langchain"}, "langchain"),
        ("x", {"gen_ai.system": "Langchain", "lmnr.association.properties.ls_provider": "Groq"}, "groq"),
    ],
)
def test_it_writes_the_provider_in_lower_case(
    full_client: httpx.Client, trace_id: str, name: str, attributes: dict[str, Any], provider: str
) -> None:
    assert _send_and_fetch(full_client, trace_id, attributes, name=name)["provider"] == provider


@pytest.mark.parametrize("name", ["RunnableSequence.task", "RunnableParallel<context,question>.task"])
def test_it_drops_langchains_wrappers(full_client: httpx.Client, trace_id: str, name: str) -> None:
    attributes = {"lmnr.span.path": ["agent", name, "step"], "lmnr.span.ids_path": [span_id(n) for n in (1, 2, 3)]}
    send_spans(
        full_client, make_span(trace_id, 1, name="agent"), make_span(trace_id, 2, 1, name=name),
        make_span(trace_id, 3, 2, name="step", attributes=attributes),
    )  # fmt: skip
    agent, step = fetch_spans(full_client, trace_id)
    assert (agent["name"], step["name"], step["path"]) == ("agent", "step", "agent.step")
    assert step["parent_span_id"] == agent["span_id"]


@pytest.mark.parametrize("name", ["RunnableSequence", "Runnable.task", "runnableMap.task"])
def test_it_keeps_spans_that_only_look_like_wrappers(full_client: httpx.Client, trace_id: str, name: str) -> None:
    assert _send_and_fetch(full_client, trace_id, {}, name=name)["name"] == name


@pytest.mark.parametrize("keys", [("sessionId", "userId"), ("session_id", "user_id")])
def test_it_reads_session_user_and_tags_of_the_vercel_sdk(
    full_client: httpx.Client, trace_id: str, keys: tuple[str, str]
) -> None:
    session, user = keys
    attributes = {f"{TELEMETRY}{session}": "s-1", f"{TELEMETRY}{user}": "u-1", f"{TELEMETRY}tags": ["beta", "eu"]}
    row = _send_and_fetch(full_client, trace_id, attributes)
    trace = fetch_trace(full_client, trace_id)
    assert sorted(row["tags"]) == ["beta", "eu"]
    assert (trace["session_id"], trace["user_id"], sorted(trace["tags"])) == ("s-1", "u-1", ["beta", "eu"])


def test_it_prefers_laminars_own_session_and_user(full_client: httpx.Client, trace_id: str) -> None:
    own = "lmnr.association.properties."
    attributes = {f"{TELEMETRY}sessionId": "other", f"{own}session_id": "own", f"{own}user_id": "u"}
    send_span(full_client, trace_id, attributes)
    trace = fetch_trace(full_client, trace_id)
    assert (trace["session_id"], trace["user_id"]) == ("own", "u")


TOOL = {"name": "find", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("attributes", "tools"),
    [
        (
            {"llm.request.functions.1.name": "b", "llm.request.functions.0.name": "find",
             "llm.request.functions.0.parameters": '{"type": "object"}'},
            [TOOL, {"name": "b"}],
        ),
        ({"llm.request.functions.0.name": "find", "llm.request.functions.0.input_schema": '{"type":"object"}'}, [TOOL]),
        ({"ai.prompt.tools": [json.dumps(TOOL)]}, [TOOL]),
        ({"gen_ai.tool.definitions": json.dumps([TOOL])}, [TOOL]),
        ({"ai.prompt.tools": ['{"name": "\\ud800"}']}, ['{"name": "\\ud800"}']),
    ],
    ids=["functions", "input schema", "Vercel", "OpenTelemetry", "half a character"],
)  # fmt: skip
def test_it_assembles_tool_definitions(
    full_client: httpx.Client, trace_id: str, attributes: dict[str, Any], tools: list[dict[str, Any]]
) -> None:
    row = _send_and_fetch(full_client, trace_id, MODEL | attributes)
    assert json.loads(row["tool_definitions"]) == tools
    assert json.loads(row["attributes"]) == MODEL


@pytest.mark.parametrize("value", ["not json", "{}", "[]", '["\\ud800"]', "[" * 900])
def test_it_keeps_tool_definitions_that_it_cannot_read(full_client: httpx.Client, trace_id: str, value: str) -> None:
    row = _send_and_fetch(full_client, trace_id, MODEL | {"gen_ai.tool.definitions": value})
    assert row["tool_definitions"] == ""
    assert json.loads(row["attributes"])["gen_ai.tool.definitions"] == value


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("llm.openai.messages", "llm.openai.choices"), ("llm.anthropic.messages", "llm.anthropic.content")],
)
def test_it_reads_a_raw_request(full_client: httpx.Client, trace_id: str, asked: str, answered: str) -> None:
    row = _send_and_fetch(
        full_client, trace_id, {asked: '[{"role":"user"}]', answered: "yes"}, name="raw_gen_ai_request"
    )
    assert (row["input"], row["output"]) == ('[{"role":"user"}]', "yes")


def test_it_reads_a_model_call_of_mastra(full_client: httpx.Client, trace_id: str) -> None:
    attributes = {
        "aisdk.model.id": "gpt-5", "aisdk.model.provider": "openai", "stream.prompt.messages": '[{"role":"user"}]',
        "stream.response.text": "Hello.", "stream.response.toolCalls": "[]",
    }  # fmt: skip
    row = _send_and_fetch(full_client, trace_id, attributes)
    _assert_columns(
        row, {"span_type": "LLM", "request_model": "gpt-5", "input": '[{"role":"user"}]', "output": "Hello."}
    )
    stored = json.loads(row["attributes"])
    assert (stored["ai.model.provider"], "stream.response.text" in stored) == ("openai", False)


def test_it_takes_only_content_and_role_out_of_indexed_messages(full_client: httpx.Client, trace_id: str) -> None:
    rest = {
        "gen_ai.completion.0.finish_reason": "stop", "gen_ai.completion.0.tool_calls.0.name": "find",
        "gen_ai.prompt.0.tool_call_id": "c1",
    }  # fmt: skip
    taken = {
        "gen_ai.prompt.0.role": "tool",
        "gen_ai.prompt.0.content": "found",
        "gen_ai.completion.0.role": "assistant",
    }
    row = _send_and_fetch(full_client, trace_id, MODEL | rest | taken)
    assert json.loads(row["attributes"]) == MODEL | rest


@pytest.mark.parametrize(
    ("attributes", "output"),
    [
        (
            {"function_call.name": "find", "function_call.arguments": '{"a":1}'},
            [{"type": "tool_call", "name": "find", "arguments": {"a": 1}}],
        ),
        ({"reasoning": "because"}, "because"),
        ({"reasoning": "because", "content": "yes"}, "yes"),
    ],
    ids=["function call", "reasoning alone", "reasoning and content"],
)
def test_it_reads_what_an_indexed_message_holds(
    full_client: httpx.Client, trace_id: str, attributes: dict[str, str], output: Any
) -> None:
    indexed = {f"gen_ai.completion.0.{name}": value for name, value in attributes.items()}
    row = _send_and_fetch(full_client, trace_id, MODEL | indexed)
    assert json.loads(row["output"])[0]["content"] == output


def test_it_keeps_messages_in_the_attributes_of_spans_that_are_no_model_call(
    full_client: httpx.Client, trace_id: str
) -> None:
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.input.messages": "[]", "ai.response.text": "yes"}
    row = _send_and_fetch(full_client, trace_id, attributes)
    assert (row["input"], json.loads(row["attributes"])) == ("", attributes)


def test_it_counts_a_cached_model_call(full_client: httpx.Client, trace_id: str) -> None:
    attributes = {"lmnr.span.type": "CACHED", "lmnr.span.original_type": "LLM", "gen_ai.usage.input_tokens": 3}
    _assert_columns(_send_and_fetch(full_client, trace_id, attributes), {"span_type": "CACHED", "input_tokens": 3})
