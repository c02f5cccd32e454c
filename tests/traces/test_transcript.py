import json
from time import process_time
from uuid import UUID

import pytest

from reviewapp.traces.transcript import transcript
from reviewapp.traces.transcript.transcript import Transcript
from tests.traces.spans import ANSWER, ASKED, CALL, SYSTEM, GivenSpan, refund, said, span


def roles(read: Transcript) -> list[str]:
    return [turn.role for turn in read.turns]


def test_it_shows_each_message_once() -> None:
    read = transcript.build(refund())

    assert roles(read) == ["system", "user", "assistant", "tool", "assistant"]
    assert read.repeats == 4


def test_it_marks_the_final_answer() -> None:
    read = transcript.build(refund())

    assert read.answer is not None
    assert (read.answer.text, read.answer.is_answer, read.answer.span.span_id) == (ANSWER, True, UUID(int=4))
    assert sum(turn.is_answer for turn in read.turns) == 1


def test_it_opens_on_the_question_and_the_answer() -> None:
    read = transcript.build(refund())

    assert [turn.text for turn in read.turns if turn.is_opening] == [ASKED["content"], ANSWER]
    assert [turn.role for turn in read.turns if not turn.is_folded] == ["user", "assistant"]


def test_it_takes_the_spans_in_any_order() -> None:
    assert roles(transcript.build(refund()[::-1])) == roles(transcript.build(refund()))


def test_it_shows_a_tools_call_and_result_in_one_turn() -> None:
    turn = next(turn for turn in transcript.build(refund()).turns if turn.role == "tool")

    assert [part.kind for part in turn.message.parts] == ["tool_call", "tool_result"]
    assert turn.message.name == "lookup_order"


def test_it_knows_a_tools_result_though_the_model_was_told_it_in_other_words() -> None:
    assert roles(transcript.build(refund(output="Order 4471: pending"))).count("tool") == 1


def test_it_shows_a_result_without_the_message_that_a_tool_wrapped_it_in() -> None:
    wrapped = {
        "output": {"lc": 1, "id": ["ToolMessage"], "kwargs": {"content": "late", "type": "tool", "tool_call_id": "c1"}}
    }

    (turn,) = [turn for turn in transcript.build(refund(output=wrapped)).turns if turn.span.span_type == "TOOL"]

    assert turn.message.parts[-1].text == "late"


def test_it_shows_results_that_no_tool_span_has() -> None:
    without = [given for given in refund() if given.span_type != "TOOL"]

    assert roles(transcript.build(without)).count("tool") == 1


def test_it_finds_the_answer_before_a_check_that_came_after() -> None:
    check = span(5, 1, "LLM", input=[said("user", "Is this polite? " + ANSWER)], output=[said("assistant", "passed")])
    read = transcript.build([*refund(), check])

    assert read.answer is not None
    assert read.answer.text == ANSWER
    assert [turn.text for turn in read.after] == ["Is this polite? " + ANSWER, "passed"]


def test_it_takes_what_the_trace_returned_when_no_model_said_it() -> None:
    spans = refund()
    spans[0].output = "Dear Ana,\n\n" + ANSWER + "\n\nYour refund desk"
    read = transcript.build(spans)

    assert read.answer is read.turns[-1]
    assert read.answer is not None
    assert read.answer.span is spans[0]


def test_it_takes_a_structured_answer_from_the_model() -> None:
    spans = [
        span(1, at=(0, 9), input={"invoice": "inv_7"}, output={"total": 12, "currency": "EUR"}),
        span(2, 1, "LLM", input=[ASKED], output=[said("assistant", '{ "total": 12, "currency": "EUR" }')]),
        span(3, 1, "LLM", input=[said("user", "language?")], output=[said("assistant", "en")]),
    ]
    read = transcript.build(spans)

    assert read.answer is not None
    assert read.answer.span is spans[1]


def test_it_shows_the_traces_own_question_before_the_prompt_around_it() -> None:
    prompt = said("user", "Context: a lease.\nQuestion: What is the notice period?")
    spans = [
        span(1, at=(0, 9), input={"question": "What is the notice period?"}),
        span(2, 1, "LLM", input=[prompt], output=[said("assistant", "Three months.")]),
    ]
    read = transcript.build(spans)

    assert read.question is not None
    assert read.question.text == "What is the notice period?"
    assert [turn.is_folded for turn in read.turns] == [False, True, False]


def test_it_keeps_two_equal_messages_of_one_conversation() -> None:
    talk = [ASKED, said("assistant", "Shall I?"), said("user", "yes"), said("assistant", "Sure?"), said("user", "yes")]

    read = transcript.build([span(1, None, "LLM", input=talk, output=[said("assistant", "Done.")])])

    assert [turn.text for turn in read.turns if turn.role == "user"].count("yes") == 2
    assert read.question is read.turns[4]


def test_it_keeps_earlier_talk_before_a_question_that_the_trace_was_asked() -> None:
    talk = [SYSTEM, said("user", "Hello"), said("assistant", "What can I do?"), ASKED]
    spans = [
        span(1, at=(0, 9), input={"question": ASKED["content"]}, output=ANSWER),
        span(2, 1, "LLM", input=talk, output=[said("assistant", ANSWER)]),
    ]
    read = transcript.build(spans)

    assert [turn.text for turn in read.earlier] == ["Hello", "What can I do?"]
    assert [turn.text for turn in read.main] == [ASKED["content"], ANSWER]


def test_it_takes_a_batchs_own_input_and_output() -> None:
    spans = [
        span(1, at=(0, 9), input={"since": "monday"}, output={"labelled": 2}),
        span(2, 1, "LLM", input=[said("user", "label a")], output=[said("assistant", "defect")]),
        span(3, 1, "LLM", input=[said("user", "label b")], output=[said("assistant", "payment")]),
    ]
    read = transcript.build(spans)

    assert read.question is not None
    assert read.answer is not None
    assert (read.question.text, read.answer.text) == ('{"since": "monday"}', '{"labelled": 2}')


def test_it_shows_a_result_told_in_other_words_once_in_a_long_conversation() -> None:
    told = {"role": "tool", "tool_call_id": "c1", "content": '{"result": "pending"}'}
    spans = [*refund(), span(5, 1, "LLM", input=[SYSTEM, ASKED, CALL, told, said("user", "thanks")])]
    spans[3].input = json.dumps([SYSTEM, ASKED, CALL, told])

    assert roles(transcript.build(spans)).count("tool") == 1


def test_it_calls_what_came_before_the_question_earlier() -> None:
    talk = [SYSTEM, ASKED, said("assistant", "On its way."), said("user", "When?")]
    read = transcript.build([span(1, None, "LLM", input=talk, output=[said("assistant", "Tomorrow.")])])

    assert [turn.text for turn in read.earlier] == [ASKED["content"], "On its way."]
    assert [turn.text for turn in read.main] == ["When?", "Tomorrow."]
    assert [turn.role for turn in read.system] == ["system"]


def test_it_shares_out_every_turn() -> None:
    read = transcript.build(refund())
    shared = [*read.system, *read.earlier, *read.main, *read.after]

    assert sorted(turn.number for turn in shared) == list(range(1, len(read.turns) + 1))


def test_it_reads_the_inner_of_two_nested_model_spans() -> None:
    spans = [
        span(1, None, "LLM", name="ai.generateText", at=(0, 9), input=[ASKED], output=[said("assistant", ANSWER)]),
        span(2, 1, "LLM", name="ai.generateText.doGenerate", input=[ASKED], output=[said("assistant", ANSWER)]),
    ]

    assert roles(transcript.build(spans)) == ["user", "assistant"]


def test_it_shows_a_tool_that_asked_a_model_after_that_model() -> None:
    spans = [
        span(1, None, at=(0, 9)),
        span(2, 1, "TOOL", name="research", at=(1, 8), output="found"),
        span(3, 2, "LLM", input=[ASKED], output=[said("assistant", "notes")]),
    ]

    assert roles(transcript.build(spans)) == ["user", "assistant", "tool"]


def test_it_falls_back_to_the_top_spans_input_and_output() -> None:
    spans = [span(1, at=(0, 9), input="ping", output="pong"), span(2, 1, "TOOL", name="socket", output="ok")]
    read = transcript.build(spans)

    assert [(turn.role, turn.text) for turn in read.turns] == [("user", "ping"), ("tool", ""), ("assistant", "pong")]
    assert (read.question, read.answer) == (read.turns[0], read.turns[2])


def test_it_reads_no_spans_as_nothing() -> None:
    assert transcript.build([]) == Transcript()


@pytest.mark.parametrize(
    ("spans", "is_partial"),
    [
        ([span(1), span(2, 1)], False),
        ([span(1), span(2, 77)], True),
        ([span(2, 77)], True),
        ([span(1, at=(0, None))], True),
    ],
)
def test_it_says_whether_something_is_missing(spans: list[GivenSpan], is_partial: bool) -> None:
    assert transcript.build(spans).is_partial is is_partial


def test_it_counts_tool_calls_and_names_the_longest_step() -> None:
    spans = refund()
    spans[2] = span(3, 1, "TOOL", name="lookup_order", at=(3, 7), output={"status": "pending"})
    read = transcript.build(spans)

    assert read.tool_calls == 1
    assert read.longest is not None
    assert read.longest.span is spans[2]


def test_it_measures_a_turn() -> None:
    (turn,) = transcript.build([span(1, None, "LLM", input="three short words")]).turns

    assert (turn.size, turn.words) == (17, 3)


def test_it_reads_a_long_conversation_quickly() -> None:
    talk = [said(("user", "assistant")[at % 2], f"message {at} " + "word " * 40) for at in range(240)]
    spans = [span(at + 1, None, "LLM", input=talk[: 2 * at + 1], output=[talk[2 * at + 1]]) for at in range(120)]
    begun = process_time()

    read = transcript.build(spans)

    assert process_time() - begun < 4
    assert len(read.turns) == 240


def test_it_survives_spans_that_hold_each_other() -> None:
    spans = [span(1, 2, "LLM", input=[ASKED]), span(2, 1, "LLM", output=[said("assistant", ANSWER)])]

    assert transcript.build(spans).is_partial
