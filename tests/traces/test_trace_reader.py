"""What is loaded on demand of a trace: turns, the rest of long texts, gaps, raw nodes; and the search."""

import json
import re
from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Span, Trace
from tests.factories import SpanFactory, TraceFactory
from tests.traces.spans import chat_message


@pytest.fixture
def trace(project: Project) -> Trace:
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=1)
    return trace


def asked(client: Client, trace: Trace, query: str) -> str:
    return client.get(f"/p/support/traces/{trace.trace_id}/?{query}").text


def test_all_of_a_long_text_is_reached(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, output="".join(f"{number:07} " for number in range(50_000)))
    where, shown = "", asked(reviewer_client, trace, "")
    while found := re.search(r'hx-get="[^"]*\?(turn=[^"]*)"', shown):
        where = found[1].replace("&amp;", "&")
        shown = asked(reviewer_client, trace, where)
    assert "0049999" in shown
    assert "from=300000" in where


def test_a_folded_long_turn_is_loaded_alone(reviewer_client: Client, trace: Trace) -> None:
    told = [
        chat_message("user", "first " + "x " * 5_000),
        chat_message("assistant", "ok"),
        chat_message("user", "Now?"),
    ]
    SpanFactory.create(trace=trace, input=json.dumps(told))
    assert "Open this turn" in asked(reviewer_client, trace, "")
    piece = asked(reviewer_client, trace, "turn=1&piece=1")
    assert piece.startswith('<div class="parts"')
    assert "first x" in piece


def test_gaps_lead_to_every_turn(reviewer_client: Client, trace: Trace) -> None:
    told = [chat_message("user", f"message {number:04}.") for number in range(400)]
    SpanFactory.create(trace=trace, input=json.dumps(told))
    page, seen = asked(reviewer_client, trace, ""), ""
    while found := re.search(r'hx-get="[^"]*\?(from=[^"]*)"', page):
        seen += page
        page = asked(reviewer_client, trace, found[1].replace("&amp;", "&"))
    assert set(re.findall(r"message \d{4}", seen + page)) >= {f"message {number:04}" for number in range(400)}


def test_a_turn_in_a_gap_is_shown_by_its_address(reviewer_client: Client, trace: Trace) -> None:
    told = [chat_message("user", f"message {number:04}.") for number in range(400)]
    SpanFactory.create(trace=trace, input=json.dumps(told))
    assert 'id="turn-9"' not in asked(reviewer_client, trace, "")
    assert 'id="turn-9"' in asked(reviewer_client, trace, "turn=9")


def test_it_finds_in_what_is_cut(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, output="x" * 150_000 + " NEEDLE")
    assert "1 match for “needle” in 1 turn." in asked(reviewer_client, trace, "find=needle")


def test_raw_keeps_numbers_as_written_and_repeated_keys(reviewer_client: Client, trace: Trace) -> None:
    span = SpanFactory.create(trace=trace, span_type="TOOL", output='{"a":1.0,"a":1e400}')
    node = asked(reviewer_client, trace, f"tab=raw&span={span.span_id}&at=11&piece=1")
    assert re.findall(r'class="mi">([^<]+)<', node) == ["1.0", "1e400"]


@pytest.mark.parametrize("at", ["99", "11.0.0.0", "x", "-1", "9" * 9, "1." * 3_000])
def test_raw_survives_a_path_that_leads_nowhere(reviewer_client: Client, trace: Trace, at: str) -> None:
    span = SpanFactory.create(trace=trace)
    where = f"/p/support/traces/{trace.trace_id}/?tab=raw&span={span.span_id}&at={at}"
    assert reviewer_client.get(where).status_code == 200


@pytest.mark.parametrize("query", ["turn=0", "turn=9999", "turn=1&part=9", "from=9999", "from=5&to=1", "rest=1"])
def test_a_piece_that_is_not_there_breaks_nothing(reviewer_client: Client, trace: Trace, query: str) -> None:
    SpanFactory.create(trace=trace)
    assert reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?{query}&piece=1").status_code == 200


def test_another_traces_span_is_not_shown(reviewer_client: Client, trace: Trace, other_project: Project) -> None:
    foreign = SpanFactory.create(trace__project=other_project, span_id=UUID(int=77), name="secret")
    assert "no longer exists" in asked(reviewer_client, trace, f"tab=raw&span={foreign.span_id}")


def test_a_transcript_of_very_many_spans_is_made_of_its_ends(reviewer_client: Client, trace: Trace) -> None:
    Trace.objects.update(span_count=2_100)
    spans = [SpanFactory.build(trace=trace, span_type="TOOL", name=f"tool_{n:04}", output=f"{n}") for n in range(2_100)]
    Span.objects.bulk_create(spans, batch_size=300)
    page = asked(reviewer_client, trace, "")
    assert "the first and the last 1,000 of 2,100 spans" in page
    assert "tool_0001" in page
    assert "tool_2099" in page


def with_steps(trace: Trace, *outputs: str) -> None:
    """A question, a tool call for each of these outputs, and an answer."""
    SpanFactory.create(trace=trace, span_id=UUID(int=100), output='"I look it up."')
    for output in outputs:
        SpanFactory.create(trace=trace, span_type="TOOL", input="{}", output=output)
    SpanFactory.create(trace=trace, span_id=UUID(int=101))


def test_what_lies_between_question_and_answer_is_folded(reviewer_client: Client, trace: Trace) -> None:
    with_steps(trace, "one", "two")
    page = asked(reviewer_client, trace, "")
    assert '<details class="fold group"><summary>3 steps between: 1 model call, 2 tool calls</summary>' in page
    assert page.index("3 steps between") < page.index("turn tool") < page.index("turn assistant answer")


def test_a_little_between_question_and_answer_stands_open(reviewer_client: Client, trace: Trace) -> None:
    with_steps(trace, "one")
    assert "between" not in asked(reviewer_client, trace, "")


def test_a_long_text_between_question_and_answer_is_folded(reviewer_client: Client, trace: Trace) -> None:
    with_steps(trace, "x" * 3_000)
    assert "2 steps between: 1 model call, 1 tool call<" in asked(reviewer_client, trace, "")


def test_what_is_wished_between_question_and_answer_is_open(reviewer_client: Client, trace: Trace) -> None:
    with_steps(trace, "one", "two")
    assert '<details class="fold group" open>' in asked(reviewer_client, trace, "turn=3")


def test_it_says_that_there_is_no_answer(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, output="", status="error")
    assert "This trace has no final answer." in asked(reviewer_client, trace, "")
    assert 'data-jump="answer"' not in asked(reviewer_client, trace, "")


def test_what_a_user_wrote_stands_as_written(reviewer_client: Client, trace: Trace) -> None:
    written = "My lease:\n1. Term\n   2. Rent *net*\n\n\n# not a heading"
    SpanFactory.create(trace=trace, input=json.dumps([chat_message("user", written)]))
    assert f'<p class="plain" dir="auto">{written}</p>' in asked(reviewer_client, trace, "")


def test_a_fold_tells_the_size_of_data_in_characters(reviewer_client: Client, trace: Trace) -> None:
    with_steps(trace, '{"a":1}', "")
    page = asked(reviewer_client, trace, "")
    assert '<span class="count">9 characters</span>' in page
    assert '<span class="count">2 characters</span>' in page
    assert "0 words" not in page
