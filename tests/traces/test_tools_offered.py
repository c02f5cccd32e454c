"""The tools that a model was offered, in the shapes of the usual providers and tracers."""

import json
from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.traces.transcript import tools_offered
from reviewapp.traces.transcript.tools_offered import Tool
from tests.factories import SpanFactory, TraceFactory

SCHEMA = {"type": "object"}
FUNCTION = {"name": "look_up", "description": "Finds an order.", "parameters": SCHEMA}
OPENAI = {"type": "function", "function": FUNCTION}
EXPECTED = [Tool("look_up", "Finds an order.", '{"type": "object"}')]


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.tool.definitions": json.dumps([OPENAI])},
        {"ai.prompt.tools": [json.dumps({"type": "function", **FUNCTION})]},
        {
            "llm.request.functions.0.name": "look_up",
            "llm.request.functions.0.description": "Finds an order.",
            "llm.request.functions.0.parameters": json.dumps(SCHEMA),
        },
        {"llm.tools.0.tool.json_schema": json.dumps(OPENAI)},
    ],
)
def test_it_reads_attributes(attributes: dict[str, Any]) -> None:
    assert tools_offered.read(json.dumps(attributes), "[]") == EXPECTED


@pytest.mark.parametrize(
    "tools",
    [
        [OPENAI],
        [{"name": "look_up", "description": "Finds an order.", "input_schema": SCHEMA}],
        [{"functionDeclarations": [FUNCTION]}],
        [{"toolSpec": {"name": "look_up", "description": "Finds an order.", "inputSchema": SCHEMA}}],
    ],
)
def test_it_reads_a_request(tools: list[Any]) -> None:
    request = {"messages": [{"role": "user", "content": "Hi"}], "tools": tools}
    assert tools_offered.read("{}", json.dumps(request)) == EXPECTED


@pytest.mark.parametrize(
    "value", ["", "[", "{}", "null", '{"tools": 7}', '{"tools": [1, null, {"name": 3}]}', "[" * 9_000]
)
def test_it_works_when_there_are_none(value: str) -> None:
    assert tools_offered.read(value, value) == []
    assert tools_offered.read(json.dumps({"gen_ai.tool.definitions": value}), value) == []


@pytest.fixture
def trace(project: Project) -> Trace:
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=1)
    return trace


def get_page(client: Client, trace: Trace, query: str) -> str:
    return client.get(f"/p/support/traces/{trace.trace_id}/?{query}").text


@pytest.mark.django_db
def test_it_shows_them_on_demand(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, attributes=json.dumps({"gen_ai.tool.definitions": json.dumps([OPENAI])}))
    assert "Tools offered to the model" in get_page(reviewer_client, trace, "")
    assert "Finds an order." not in get_page(reviewer_client, trace, "")
    for query in ("tools=1", "tools=1&piece=1", "tab=steps&span=" + str(trace.spans.get().span_id)):
        assert "Finds an order." in get_page(reviewer_client, trace, query)


@pytest.mark.django_db
def test_it_offers_nothing_where_no_tool_is_named(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace)
    assert "Tools offered" not in get_page(reviewer_client, trace, "")
