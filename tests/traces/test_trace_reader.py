"""The parts of a trace that are loaded on demand (turns, long texts, gaps, raw nodes), and the search."""

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


def get_page(client: Client, trace: Trace, query: str) -> str:
    return client.get(f"/p/support/traces/{trace.trace_id}/?{query}").text


def test_it_loads_a_long_text_to_its_end(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, output="".join(f"{number:07} " for number in range(50_000)))
    query, page = "", get_page(reviewer_client, trace, "")
    while match := re.search(r'hx-get="[^"]*\?(turn=[^"]*)"', page):
        query = match[1].replace("&amp;", "&")
        page = get_page(reviewer_client, trace, query)
    assert "0049999" in page
    assert "from=300000" in query


def test_it_loads_a_long_folded_turn_alone(reviewer_client: Client, trace: Trace) -> None:
    conversation = [
        chat_message("user", "first " + "x " * 5_000),
        chat_message("assistant", "ok"),
        chat_message("user", "Now?"),
    ]
    SpanFactory.create(trace=trace, input=json.dumps(conversation))
    assert "Open this turn" in get_page(reviewer_client, trace, "")
    fragment = get_page(reviewer_client, trace, "turn=1&piece=1")
    assert fragment.startswith('<div class="parts"')
    assert "first x" in fragment


def test_it_reaches_every_turn_through_gaps(reviewer_client: Client, trace: Trace) -> None:
    conversation = [chat_message("user", f"message {number:04}.") for number in range(400)]
    SpanFactory.create(trace=trace, input=json.dumps(conversation))
    page, loaded = get_page(reviewer_client, trace, ""), ""
    while match := re.search(r'hx-get="[^"]*\?(from=[^"]*)"', page):
        loaded += page
        page = get_page(reviewer_client, trace, match[1].replace("&amp;", "&"))
    assert set(re.findall(r"message \d{4}", loaded + page)) >= {f"message {number:04}" for number in range(400)}


def test_it_shows_a_turn_in_a_gap_by_its_url(reviewer_client: Client, trace: Trace) -> None:
    conversation = [chat_message("user", f"message {number:04}.") for number in range(400)]
    SpanFactory.create(trace=trace, input=json.dumps(conversation))
    assert 'id="turn-9"' not in get_page(reviewer_client, trace, "")
    assert 'id="turn-9"' in get_page(reviewer_client, trace, "turn=9")


def test_it_searches_text_that_is_cut(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, output="x" * 150_000 + " NEEDLE")
    assert "1 match for “needle” in 1 turn." in get_page(reviewer_client, trace, "find=needle")


def test_it_shows_raw_numbers_as_written_and_repeated_keys(reviewer_client: Client, trace: Trace) -> None:
    span = SpanFactory.create(trace=trace, span_type="TOOL", output='{"a":1.0,"a":1e400}')
    node = get_page(reviewer_client, trace, f"tab=raw&span={span.span_id}&at=11&piece=1")
    assert re.findall(r'class="mi">([^<]+)<', node) == ["1.0", "1e400"]


@pytest.mark.parametrize("path", ["99", "11.0.0.0", "x", "-1", "9" * 9, "1." * 3_000])
def test_it_works_when_a_raw_path_has_no_node(reviewer_client: Client, trace: Trace, path: str) -> None:
    span = SpanFactory.create(trace=trace)
    url = f"/p/support/traces/{trace.trace_id}/?tab=raw&span={span.span_id}&at={path}"
    assert reviewer_client.get(url).status_code == 200


@pytest.mark.parametrize("query", ["turn=0", "turn=9999", "turn=1&part=9", "from=9999", "from=5&to=1", "rest=1"])
def test_it_works_when_a_fragment_does_not_exist(reviewer_client: Client, trace: Trace, query: str) -> None:
    SpanFactory.create(trace=trace)
    assert reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?{query}&piece=1").status_code == 200


def test_it_refuses_a_span_of_another_trace(reviewer_client: Client, trace: Trace, other_project: Project) -> None:
    foreign = SpanFactory.create(trace__project=other_project, span_id=UUID(int=77), name="secret")
    assert "no longer exists" in get_page(reviewer_client, trace, f"tab=raw&span={foreign.span_id}")


def test_it_shows_the_first_and_last_spans_of_a_very_long_trace(reviewer_client: Client, trace: Trace) -> None:
    Trace.objects.update(span_count=2_100)
    spans = [SpanFactory.build(trace=trace, span_type="TOOL", name=f"tool_{n:04}", output=f"{n}") for n in range(2_100)]
    Span.objects.bulk_create(spans, batch_size=300)
    page = get_page(reviewer_client, trace, "")
    assert "the first and the last 1,000 of 2,100 spans" in page
    assert "tool_0001" in page
    assert "tool_2099" in page


def create_steps(trace: Trace, *outputs: str) -> None:
    """Create a question, a tool call with each of these outputs, and an answer."""
    SpanFactory.create(trace=trace, span_id=UUID(int=100), output='"I look it up."')
    for output in outputs:
        SpanFactory.create(trace=trace, span_type="TOOL", input="{}", output=output)
    SpanFactory.create(trace=trace, span_id=UUID(int=101))


def test_it_folds_the_turns_between_question_and_answer(reviewer_client: Client, trace: Trace) -> None:
    create_steps(trace, "one", "two")
    page = get_page(reviewer_client, trace, "")
    assert '<details class="fold group"><summary>3 steps between: 1 model call, 2 tool calls</summary>' in page
    assert page.index("3 steps between") < page.index("turn tool") < page.index("turn assistant answer")


def test_it_shows_few_turns_between_question_and_answer_open(reviewer_client: Client, trace: Trace) -> None:
    create_steps(trace, "one")
    assert "between" not in get_page(reviewer_client, trace, "")


def test_it_folds_a_long_text_between_question_and_answer(reviewer_client: Client, trace: Trace) -> None:
    create_steps(trace, "x" * 3_000)
    assert "2 steps between: 1 model call, 1 tool call<" in get_page(reviewer_client, trace, "")


def test_it_opens_the_fold_with_the_selected_turn(reviewer_client: Client, trace: Trace) -> None:
    create_steps(trace, "one", "two")
    assert '<details class="fold group" open>' in get_page(reviewer_client, trace, "turn=3")


def test_it_says_when_there_is_no_answer(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, output="", status="error")
    assert "This trace has no final answer." in get_page(reviewer_client, trace, "")
    assert 'data-jump="answer"' not in get_page(reviewer_client, trace, "")


def test_it_shows_a_users_text_as_written(reviewer_client: Client, trace: Trace) -> None:
    text = "My lease:\n1. Term\n   2. Rent *net*\n\n\n# not a heading"
    SpanFactory.create(trace=trace, input=json.dumps([chat_message("user", text)]))
    assert f'<p class="plain" dir="auto">{text}</p>' in get_page(reviewer_client, trace, "")


def test_it_shows_the_size_of_folded_data_in_characters(reviewer_client: Client, trace: Trace) -> None:
    create_steps(trace, '{"a":1}', "")
    page = get_page(reviewer_client, trace, "")
    assert '<span class="count">9 characters</span>' in page
    assert '<span class="count">2 characters</span>' in page
    assert "0 words" not in page


def test_it_finds_a_phrase_across_markup(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, output=json.dumps("It arrives **on\nFriday** at `noon`."))
    assert "1 match for “on friday at noon” in 1 turn." in get_page(reviewer_client, trace, "find=on friday at noon")


def test_it_loads_the_turns_of_a_fold_at_once(reviewer_client: Client, trace: Trace) -> None:
    create_steps(trace, "first " * 1_100, "second " * 1_100)
    assert get_page(reviewer_client, trace, "").count("Open this turn") == 2
    match = re.search(r'hx-get="[^"]*\?(rest=1[^"]*)"', get_page(reviewer_client, trace, ""))
    assert match is not None
    fragment = get_page(reviewer_client, trace, match[1].replace("&amp;", "&"))
    assert "first first" in fragment
    assert "second second" in fragment
