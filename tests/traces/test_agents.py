"""Agents inside an agent: which spans are one, and how a transcript shows them."""

import json
import re
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.traces.reader.trace_reader import open_reader
from reviewapp.traces.reader.transcript_html import render_transcript
from reviewapp.traces.sync import storing
from reviewapp.traces.transcript import transcript
from tests.traces.rows import span_row, store_pulled_spans, trace_row
from tests.traces.spans import ANSWER, QUESTION, SYSTEM_PROMPT, FakeSpan, chat_message, span

HELPER_PROMPT = chat_message("system", "You are a helper.")
BRIEF = chat_message("user", "Find the order.")


def delegating_spans(name: str = "delegate", kind: str = "TOOL", **fields: Any) -> list[FakeSpan]:
    """Return the spans of an agent that asks a helper, which looks something up, and then answers."""
    call = {"role": "assistant", "content": "I ask a helper."}
    fields = {"input": {"task": "Find the order."}, "output": "Order 4471 is pending.", **fields}
    return [
        span(1, name="desk", at=(0, 9), input={"question": QUESTION["content"]}, output=ANSWER),
        span(2, 1, "LLM", input=[SYSTEM_PROMPT, QUESTION], output=[call]),
        span(3, 1, kind, name=name, at=(3, 6), **fields),
        span(4, 3, "LLM", at=(3.2, 3.6), input=[HELPER_PROMPT, BRIEF], output=[chat_message("assistant", "Wait.")]),
        span(5, 3, "TOOL", name="lookup", at=(4, 4.5), input={"id": 4471}, output="pending"),
        span(6, 3, "LLM", at=(5, 5.5), input=[HELPER_PROMPT, BRIEF, chat_message("assistant", "Wait.")],
             output=[chat_message("assistant", "Order 4471 is pending.")]),
        span(7, 1, "LLM", input=[SYSTEM_PROMPT, QUESTION, call], output=[chat_message("assistant", ANSWER)]),
    ]  # fmt: skip


def agent_names(spans: list[FakeSpan]) -> list[str]:
    """Return the names of the agents around each turn."""
    return ["/".join(agent.name for agent in turn.agents) for turn in transcript.build(spans).turns]


def render(project: Project, spans: list[FakeSpan]) -> str:
    (trace,) = storing.store_traces(project, [trace_row()])
    rows = [
        span_row(
            each.span_id.int, parent_span_id=str(each.parent_span_id or each.span_id), name=each.name,
            span_type=each.span_type, input=each.input, output=each.output,
        )
        for each in spans
    ]  # fmt: skip
    store_pulled_spans(trace, rows)
    trace.refresh_from_db()
    return render_transcript(open_reader(trace, {}, "/reading/"))


def test_it_keeps_a_helpers_turns_together() -> None:
    built = transcript.build(delegating_spans())
    assert agent_names(delegating_spans()) == ["", "", "", *["delegate"] * 6, ""]
    (agent,) = {turn.agents[0] for turn in built.turns if turn.agents}
    assert (agent.brief, agent.result) == ("Find the order.", "Order 4471 is pending.")


def test_it_does_not_open_with_a_helpers_instructions() -> None:
    assert [turn.text for turn in transcript.build(delegating_spans()).system] == [SYSTEM_PROMPT["content"]]


@pytest.mark.parametrize("name", ["researcher", "research_agent", "invoke_agent Researcher"])
def test_it_knows_a_helper_without_a_tool_by_its_own_conversation(name: str) -> None:
    assert set(agent_names(delegating_spans(name, "DEFAULT"))) == {"", name}


def test_it_takes_a_step_of_the_same_conversation_for_no_helper() -> None:
    answer = chat_message("assistant", "Wait.")
    spans = [
        span(1, at=(0, 9), input=QUESTION["content"], output=ANSWER),
        span(2, 1, name="agent"),
        span(3, 2, "LLM", input=[SYSTEM_PROMPT, QUESTION], output=[answer]),
        span(4, 1, name="agent"),
        span(5, 4, "LLM", input=[SYSTEM_PROMPT, QUESTION, answer], output=[chat_message("assistant", ANSWER)]),
    ]
    assert set(agent_names(spans)) == {""}


@pytest.mark.parametrize("name", ["guardrail agent", "title_agent"])
def test_it_takes_a_check_for_no_helper(name: str) -> None:
    assert set(agent_names(delegating_spans(name, "DEFAULT"))) == {""}


def test_it_takes_the_only_agent_for_no_helper() -> None:
    spans = delegating_spans("agent", "DEFAULT")
    assert set(agent_names([each for each in spans if each.span_id.int not in (2, 7)])) == {""}


def test_it_keeps_the_turns_of_helpers_at_work_together_apart() -> None:
    prompt = json.dumps([HELPER_PROMPT])
    spans = delegating_spans()
    spans[4].parent_span_id = spans[0].span_id
    spans += [
        span(8, 1, "TOOL", name="second", at=(3.1, 6.1), input={"task": "Ask."}, output="Asked."),
        span(9, 8, "LLM", at=(3.4, 5.8), input=prompt, output=[chat_message("assistant", "Asked.")]),
    ]
    names = [name for name in agent_names(spans) if name]
    assert names == sorted(names)


def test_it_names_a_helper_of_a_helper_below_it() -> None:
    spans = delegating_spans()
    spans[4].name = "inner"
    spans.append(span(8, 5, "LLM", at=(4.1, 4.3), input=[chat_message("user", "Look.")], output='"pending"'))
    assert "delegate/inner" in agent_names(spans)


def test_it_survives_spans_in_a_cycle() -> None:
    spans = delegating_spans()
    spans[2].parent_span_id = spans[4].span_id
    spans[4].parent_span_id = spans[2].span_id
    assert len(agent_names(spans)) >= 8


@pytest.mark.django_db
def test_it_shows_a_helpers_name_brief_and_result_on_its_block(project: Project) -> None:
    page = render(project, delegating_spans())
    block = re.search(r'<details class="fold group agent"><summary>(.*?)</summary>', page)
    assert block is not None
    for text in ("<b>Agent</b>", "delegate", "Find the order.", "Order 4471 is pending.", "2 model calls"):
        assert text in block[1]


@pytest.mark.django_db
def test_it_folds_nothing_inside_a_fold(project: Project) -> None:
    page = render(project, delegating_spans())
    depth = depths = 0
    for tag in re.findall(r"</?details\b", page):
        depth += -1 if "/" in tag else 1
        depths = max(depths, depth)
    assert depths == 1
