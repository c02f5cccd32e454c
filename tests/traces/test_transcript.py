import json
from time import process_time
from uuid import UUID

import pytest

from reviewapp.traces.transcript import transcript
from reviewapp.traces.transcript.transcript import Transcript
from tests.traces.spans import ANSWER, QUESTION, SYSTEM_PROMPT, TOOL_CALL, FakeSpan, chat_message, refund_spans, span


def roles(read: Transcript) -> list[str]:
    return [turn.role for turn in read.turns]


def test_it_shows_each_message_once() -> None:
    read = transcript.build(refund_spans())

    assert roles(read) == ["system", "user", "assistant", "tool", "assistant"]
    assert read.repeat_count == 4


def test_it_marks_the_final_answer() -> None:
    read = transcript.build(refund_spans())

    assert read.answer is not None
    assert (read.answer.text, read.answer.is_answer, read.answer.span.span_id) == (ANSWER, True, UUID(int=4))
    assert sum(turn.is_answer for turn in read.turns) == 1


def test_it_opens_on_the_question_and_the_answer() -> None:
    read = transcript.build(refund_spans())

    assert [turn.text for turn in read.turns if turn.is_featured] == [QUESTION["content"], ANSWER]
    assert [turn.role for turn in read.turns if not turn.is_collapsed] == ["user", "assistant"]


def test_it_takes_the_spans_in_any_order() -> None:
    assert roles(transcript.build(refund_spans()[::-1])) == roles(transcript.build(refund_spans()))


def test_it_shows_a_tools_call_and_result_in_one_turn() -> None:
    turn = next(turn for turn in transcript.build(refund_spans()).turns if turn.role == "tool")

    assert [part.kind for part in turn.message.parts] == ["tool_call", "tool_result"]
    assert turn.message.name == "lookup_order"


def test_it_knows_a_tools_result_though_the_model_was_told_it_in_other_words() -> None:
    assert roles(transcript.build(refund_spans(output="Order 4471: pending"))).count("tool") == 1


def test_it_shows_a_result_without_the_message_that_a_tool_wrapped_it_in() -> None:
    wrapped = {
        "output": {"lc": 1, "id": ["ToolMessage"], "kwargs": {"content": "late", "type": "tool", "tool_call_id": "c1"}}
    }

    (turn,) = [turn for turn in transcript.build(refund_spans(output=wrapped)).turns if turn.span.span_type == "TOOL"]

    assert turn.message.parts[-1].text == "late"


def test_it_shows_results_that_no_tool_span_has() -> None:
    without = [given for given in refund_spans() if given.span_type != "TOOL"]

    assert roles(transcript.build(without)).count("tool") == 1


def test_it_finds_the_answer_before_a_check_that_came_after() -> None:
    check = span(
        5,
        1,
        "LLM",
        input=[chat_message("user", "Is this polite? " + ANSWER)],
        output=[chat_message("assistant", "passed")],
    )
    read = transcript.build([*refund_spans(), check])

    assert read.answer is not None
    assert read.answer.text == ANSWER
    assert [turn.text for turn in read.later] == ["Is this polite? " + ANSWER, "passed"]


def test_it_takes_what_the_trace_returned_when_no_model_said_it() -> None:
    spans = refund_spans()
    spans[0].output = "Dear Ana,\n\n" + ANSWER + "\n\nYour refund desk"
    read = transcript.build(spans)

    assert read.answer is read.turns[-1]
    assert read.answer is not None
    assert read.answer.span is spans[0]


def test_it_takes_a_structured_answer_from_the_model() -> None:
    spans = [
        span(1, at=(0, 9), input={"invoice": "inv_7"}, output={"total": 12, "currency": "EUR"}),
        span(2, 1, "LLM", input=[QUESTION], output=[chat_message("assistant", '{ "total": 12, "currency": "EUR" }')]),
        span(3, 1, "LLM", input=[chat_message("user", "language?")], output=[chat_message("assistant", "en")]),
    ]
    read = transcript.build(spans)

    assert read.answer is not None
    assert read.answer.span is spans[1]


def test_it_shows_the_traces_own_question_before_the_prompt_around_it() -> None:
    prompt = chat_message("user", "Context: a lease.\nQuestion: What is the notice period?")
    spans = [
        span(1, at=(0, 9), input={"question": "What is the notice period?"}),
        span(2, 1, "LLM", input=[prompt], output=[chat_message("assistant", "Three months.")]),
    ]
    read = transcript.build(spans)

    assert read.question is not None
    assert read.question.text == "What is the notice period?"
    assert [turn.is_collapsed for turn in read.turns] == [False, True, False]


def test_it_keeps_two_equal_messages_of_one_conversation() -> None:
    talk = [
        QUESTION,
        chat_message("assistant", "Shall I?"),
        chat_message("user", "yes"),
        chat_message("assistant", "Sure?"),
        chat_message("user", "yes"),
    ]

    read = transcript.build([span(1, None, "LLM", input=talk, output=[chat_message("assistant", "Done.")])])

    assert [turn.text for turn in read.turns if turn.role == "user"].count("yes") == 2
    assert read.question is read.turns[4]


def test_it_keeps_earlier_talk_before_a_question_that_the_trace_was_asked() -> None:
    talk = [SYSTEM_PROMPT, chat_message("user", "Hello"), chat_message("assistant", "What can I do?"), QUESTION]
    spans = [
        span(1, at=(0, 9), input={"question": QUESTION["content"]}, output=ANSWER),
        span(2, 1, "LLM", input=talk, output=[chat_message("assistant", ANSWER)]),
    ]
    read = transcript.build(spans)

    assert [turn.text for turn in read.earlier] == ["Hello", "What can I do?"]
    assert [turn.text for turn in read.main] == [QUESTION["content"], ANSWER]


def test_it_takes_a_batchs_own_input_and_output() -> None:
    spans = [
        span(1, at=(0, 9), input={"since": "monday"}, output={"labelled": 2}),
        span(2, 1, "LLM", input=[chat_message("user", "label a")], output=[chat_message("assistant", "defect")]),
        span(3, 1, "LLM", input=[chat_message("user", "label b")], output=[chat_message("assistant", "payment")]),
    ]
    read = transcript.build(spans)

    assert read.question is not None
    assert read.answer is not None
    assert (read.question.text, read.answer.text) == ('{"since": "monday"}', '{"labelled": 2}')


def test_it_shows_a_result_told_in_other_words_once_in_a_long_conversation() -> None:
    told = {"role": "tool", "tool_call_id": "c1", "content": '{"result": "pending"}'}
    spans = [
        *refund_spans(),
        span(5, 1, "LLM", input=[SYSTEM_PROMPT, QUESTION, TOOL_CALL, told, chat_message("user", "thanks")]),
    ]
    spans[3].input = json.dumps([SYSTEM_PROMPT, QUESTION, TOOL_CALL, told])

    assert roles(transcript.build(spans)).count("tool") == 1


def test_it_calls_what_came_before_the_question_earlier() -> None:
    talk = [SYSTEM_PROMPT, QUESTION, chat_message("assistant", "On its way."), chat_message("user", "When?")]
    read = transcript.build([span(1, None, "LLM", input=talk, output=[chat_message("assistant", "Tomorrow.")])])

    assert [turn.text for turn in read.earlier] == [QUESTION["content"], "On its way."]
    assert [turn.text for turn in read.main] == ["When?", "Tomorrow."]
    assert [turn.role for turn in read.system] == ["system"]


def test_it_shares_out_every_turn() -> None:
    read = transcript.build(refund_spans())
    shared = [*read.system, *read.earlier, *read.main, *read.later]

    assert sorted(turn.number for turn in shared) == list(range(1, len(read.turns) + 1))


def test_it_reads_the_inner_of_two_nested_model_spans() -> None:
    spans = [
        span(
            1,
            None,
            "LLM",
            name="ai.generateText",
            at=(0, 9),
            input=[QUESTION],
            output=[chat_message("assistant", ANSWER)],
        ),
        span(
            2, 1, "LLM", name="ai.generateText.doGenerate", input=[QUESTION], output=[chat_message("assistant", ANSWER)]
        ),
    ]

    assert roles(transcript.build(spans)) == ["user", "assistant"]


def test_it_shows_a_tool_that_asked_a_model_after_that_model() -> None:
    spans = [
        span(1, None, at=(0, 9)),
        span(2, 1, "TOOL", name="research", at=(1, 8), output="found"),
        span(3, 2, "LLM", input=[QUESTION], output=[chat_message("assistant", "notes")]),
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
def test_it_says_whether_something_is_missing(spans: list[FakeSpan], is_partial: bool) -> None:
    assert transcript.build(spans).is_partial is is_partial


def test_it_counts_tool_calls_and_names_the_longest_step() -> None:
    spans = refund_spans()
    spans[2] = span(3, 1, "TOOL", name="lookup_order", at=(3, 7), output={"status": "pending"})
    read = transcript.build(spans)

    assert read.tool_call_count == 1
    assert read.longest is not None
    assert read.longest.span is spans[2]


def test_it_measures_a_turn() -> None:
    (turn,) = transcript.build([span(1, None, "LLM", input="three short words")]).turns

    assert (turn.char_count, turn.word_count) == (17, 3)


def test_it_reads_a_long_conversation_quickly() -> None:
    talk = [chat_message(("user", "assistant")[at % 2], f"message {at} " + "word " * 40) for at in range(240)]
    spans = [span(at + 1, None, "LLM", input=talk[: 2 * at + 1], output=[talk[2 * at + 1]]) for at in range(120)]
    begun = process_time()

    read = transcript.build(spans)

    assert process_time() - begun < 4
    assert len(read.turns) == 240


def test_it_survives_spans_that_hold_each_other() -> None:
    spans = [span(1, 2, "LLM", input=[QUESTION]), span(2, 1, "LLM", output=[chat_message("assistant", ANSWER)])]

    assert transcript.build(spans).is_partial
