"""Input and output of spans that carry them in OpenInference attributes or in span events."""

import json
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.traces.models import Span
from reviewapp.traces.sync import storing
from reviewapp.traces.transcript import messages, span_content
from reviewapp.traces.transcript.span_content import SpanContent
from tests.traces.rows import span_row, store_pulled_spans, trace_row

OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "small-1",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "When?",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "clock",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"zone": "CET"}',
    "llm.token_count.prompt": 12,
    "llm.token_count.completion": 4,
}


def read(attributes: dict[str, Any], *events: dict[str, Any]) -> SpanContent:
    return span_content.read(json.dumps(attributes), events)


def event(name: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "timestamp": 1, "attributes": json.dumps(attributes)}


def summarise(text: str) -> list[tuple[str, str]]:
    """Return each message's role with its texts and the names of the tools it calls."""
    return [
        (message.role, " ".join(part.name or part.text for part in message.parts)) for message in messages.read(text)
    ]


def test_it_reads_openinference_attributes() -> None:
    content = read(OPENINFERENCE)
    assert summarise(content.input) == [("system", "Be brief."), ("user", "When?")]
    assert summarise(content.output) == [("assistant", "clock")]
    assert (content.span_type, content.model, content.total_tokens) == ("LLM", "small-1", 16)


def test_it_reads_openinference_values() -> None:
    content = read({"openinference.span.kind": "CHAIN", "input.value": '{"a": 1.10}', "output.value": "done"})
    assert content == SpanContent(input='{"a": 1.10}', output="done")


def test_it_reads_openinference_documents() -> None:
    attributes = {"retrieval.documents.0.document.content": "It is deep.", "retrieval.documents.0.document.score": 0.5}
    assert json.loads(read(attributes).output) == [{"content": "It is deep.", "score": 0.5}]


def test_it_reads_messages_in_span_events() -> None:
    content = read(
        {},
        event("gen_ai.system.message", content="Be brief."),
        event("gen_ai.user.message", content="When?"),
        event("gen_ai.choice", index=0, finish_reason="stop", message='{"role": "assistant", "content": "At nine."}'),
    )
    assert summarise(content.input) == [("system", "Be brief."), ("user", "When?")]
    assert summarise(content.output) == [("assistant", "At nine.")]
    assert content.span_type == "LLM"


def test_it_reads_messages_in_one_event() -> None:
    received = [{"role": "user", "parts": [{"type": "text", "content": "When?"}]}]
    returned = [{"role": "assistant", "parts": [{"type": "text", "content": "At nine."}], "finish_reason": "stop"}]
    attributes = {"gen_ai.input.messages": json.dumps(received), "gen_ai.output.messages": json.dumps(returned)}
    content = read({}, event("gen_ai.client.inference.operation.details", **attributes))
    assert (summarise(content.input), summarise(content.output)) == ([("user", "When?")], [("assistant", "At nine.")])


def test_it_reads_events_in_an_attribute() -> None:
    events = [{"event.name": "gen_ai.user.message", "content": "When?", "role": "user", "gen_ai.message.index": 0}]
    assert summarise(read({"events": json.dumps(events)}).input) == [("user", "When?")]


@pytest.mark.parametrize(
    "attributes",
    ["", "{", "[]", '{"llm": 1, "llm.input_messages": 2, "llm.input_messages.0": 3}', '{"events": "[1, {}]"}'],
)
@pytest.mark.parametrize("events", [[], [1], [{"name": 2}], [{"name": "gen_ai.choice", "attributes": "["}]])
def test_it_reads_malformed_attributes_and_events(attributes: str, events: list[Any]) -> None:
    content = span_content.read(attributes, events)
    assert messages.read(content.input) is not None


@pytest.mark.django_db
def test_it_is_stored_with_the_span(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row()])
    store_pulled_spans(trace, [span_row(attributes=json.dumps(OPENINFERENCE), span_type="DEFAULT")])
    span = Span.objects.get()
    assert (span.span_type, span.model, span.total_tokens) == ("LLM", "small-1", 16)
    assert "Be brief." in span.input
