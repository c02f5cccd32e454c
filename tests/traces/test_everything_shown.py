"""Nothing said in a trace is lost on its page, and everything is shown as it was written."""

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.traces.models import Trace
from reviewapp.traces.reader.trace_reader import open_reader
from reviewapp.traces.reader.transcript_html import render_transcript
from reviewapp.traces.sync import storing
from tests.traces.rows import span_row, store_pulled_spans, trace_row

pytestmark = pytest.mark.django_db
URL = "/p/support/traces/"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


def pull_call(project: Project, given: Any, returned: Any) -> Trace:
    """Store a trace of one model call; a text is stored as it is, anything else as JSON."""
    texts = [value if isinstance(value, str) else json.dumps(value) for value in (given, returned)]
    (trace,) = storing.store_traces(project, [trace_row()])
    store_pulled_spans(trace, [span_row(span_type="LLM", input=texts[0], output=texts[1])])
    trace.refresh_from_db()
    return trace


def render(trace: Trace, **params: str) -> str:
    return render_transcript(open_reader(trace, params, URL))


def to_text(rendered: str) -> str:
    """Return the text of HTML as a browser shows it."""
    return html.unescape(re.sub(r"<[^>]+>", "", rendered))


def answer(content: Any, **fields: Any) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": content, **fields}]


@pytest.mark.parametrize(
    ("returned", "shown", "hidden"),
    [
        ('{"fare":7.50,"zip":2E3,"a":1,"a":2,"far":1e999}', ["7.50", "2E3", '"a": 1', '"a": 2', "1e999"], ["Infinity"]),
        (answer("<soap:Body> List<std::string> <dc:title>"), ["<soap:Body>", "List<std::string>", "<dc:title>"], []),
        (answer(r"\[y\] \d+\. D:\_a\!b &reg; &nbsp;"), [r"\[y\]", r"\d+\.", r"D:\_a\!b", "&reg; &nbsp;"], []),
        ("[]", ["[]"], ["no final answer"]),
        ("null", ["null"], ["no final answer"]),
        ('""', ['""'], ["no final answer"]),
        ("0", ["Answer", "0"], ["no final answer"]),
        ("false", ["false"], ["no final answer"]),
        (answer(None, audio={"id": "a", "transcript": "as spoken"}), ["as spoken"], []),
        (answer("Ten.", reasoning_details=[{"type": "reasoning.text", "text": "count them"}]), ["count them"], []),
        (answer([{"reasoningContent": {"reasoningText": {"text": "count", "signature": "ab9"}}}]), ["count"], ["ab9"]),
        (answer([{"type": "text", "text": "Ten.", "citations": [{"cited_text": "ten isles"}]}]), ["ten isles"], []),
        (answer("Ten.", temper={"mood": "calm"}), ["other fields", "calm"], []),
        ([{"index": 0, "finish_reason": "length", "message": answer("It go")[0]}], ["It go", "(length)"], []),
        ({"candidates": [{"finishReason": "SAFETY", "index": 0}]}, ["SAFETY"], ["no final answer"]),
        (["Ten", " isles"], ["Ten isles"], []),
        (
            {"message": {"role": "assistant", "blocks": [{"block_type": "text", "text": "Ten"}]}},
            ["Ten"],
            ["block_type"],
        ),
        ([{"Role": {"Label": "assistant"}, "Items": [{"$type": "TextContent", "Text": "Ten"}]}], ["Ten"], ["$type"]),
    ],
)
def test_it_shows_what_was_said(project: Project, returned: Any, shown: list[str], hidden: list[str]) -> None:
    text = to_text(render(pull_call(project, "How many?", returned)))
    assert [word for word in shown if word not in text] == []
    assert [word for word in hidden if word in text] == []


def test_it_decodes_arguments_that_were_encoded_twice(project: Project) -> None:
    arguments = json.dumps(json.dumps({"city": "서울", "nested": json.dumps({"a": "é"})}))
    call = {"id": "c", "function": {"name": "weather", "arguments": arguments}}
    trace = pull_call(project, "Weather?", answer(None, tool_calls=[call]))
    text = to_text(render(trace))
    assert '"city": "서울"' in text
    assert '"a": "é"' in text
    assert "\\" not in text
    assert arguments in to_text(render(trace, **{"as": "written"}))


def test_it_marks_a_failed_tool_and_offers_its_image(project: Project) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    content = [{"type": "text", "text": "blurred"}, image]
    result = {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": content}
    rendered = render(pull_call(project, [{"role": "user", "content": [result]}], answer("A dot.")))
    (turn,) = re.findall(r'<article class="turn tool".*?</article>', rendered, re.DOTALL)
    assert '<b class="broken">error</b>' in turn
    assert "Show image" in turn
    assert PNG not in rendered


def test_it_labels_further_choices_as_alternatives(project: Project) -> None:
    choices = [{"index": 1, "message": answer("Eleven.")[0]}, {"index": 0, "message": answer("Ten.")[0]}]
    trace = pull_call(project, "How many?", {"choices": choices})
    reader = open_reader(trace, {}, URL)
    assert reader.answer == "Ten."
    assert "<b>Alternative</b>" in render_transcript(reader)


def test_it_shows_a_call_nobody_carried_out_as_the_answer(project: Project) -> None:
    call = {"id": "c", "function": {"name": "final_result", "arguments": '{"isles": 10}'}}
    reader = open_reader(pull_call(project, "How many?", answer(None, tool_calls=[call])), {}, URL)
    assert reader.answer == '{"isles": 10}'
    assert '<article class="turn assistant answer' in render_transcript(reader)


def test_it_shows_one_message_as_it_was_written(project: Project, reviewer_client: Client) -> None:
    trace = pull_call(project, "How many?", answer("**Ten** isles"))
    url = f"/p/support/traces/{trace.trace_id}/"
    page = reviewer_client.get(url, {"turn": "2", "as": "written", "piece": "1"}).content.decode()
    assert "**Ten** isles" in page
    assert "**Ten** isles" not in reviewer_client.get(url).content.decode()


def test_it_remembers_for_the_session_how_messages_are_shown(project: Project, reviewer_client: Client) -> None:
    trace = pull_call(project, "How many?", answer("**Ten** isles"))
    url = f"/p/support/traces/{trace.trace_id}/"
    for params, is_as_written in (({"as": "written"}, True), ({}, True), ({"as": "rendered"}, False), ({}, False)):
        page = reviewer_client.get(url, params).content.decode()
        assert ("**Ten** isles" in page) == is_as_written
