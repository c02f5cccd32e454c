import json
from time import process_time
from uuid import UUID

import pytest

from reviewapp.traces.transcript import transcript
from reviewapp.traces.transcript.transcript import Transcript
from tests.traces.spans import ANSWER, QUESTION, SYSTEM_PROMPT, TOOL_CALL, FakeSpan, chat_message, refund_spans, span


def roles(built: Transcript) -> list[str]:
    return [turn.role for turn in built.turns]


def test_it_shows_each_message_once() -> None:
    built = transcript.build(refund_spans())

    assert roles(built) == ["system", "user", "assistant", "tool", "assistant"]
    assert built.repeat_count == 4


def test_it_marks_the_final_answer() -> None:
    built = transcript.build(refund_spans())

    assert built.answer is not None
    assert (built.answer.text, built.answer.is_answer, built.answer.span.span_id) == (ANSWER, True, UUID(int=4))
    assert sum(turn.is_answer for turn in built.turns) == 1


def test_it_features_the_question_and_the_answer() -> None:
    built = transcript.build(refund_spans())

    assert [turn.text for turn in built.turns if turn.is_featured] == [QUESTION["content"], ANSWER]
    assert [turn.role for turn in built.turns if not turn.is_collapsed] == ["user", "assistant"]


def test_it_accepts_spans_in_any_order() -> None:
    assert roles(transcript.build(refund_spans()[::-1])) == roles(transcript.build(refund_spans()))


def test_it_shows_a_tools_call_and_result_in_one_turn() -> None:
    turn = next(turn for turn in transcript.build(refund_spans()).turns if turn.role == "tool")

    assert [part.kind for part in turn.message.parts] == ["tool_call", "tool_result"]
    assert turn.message.name == "lookup_order"


def test_it_shows_a_tools_result_once_when_the_model_input_words_it_differently() -> None:
    assert roles(transcript.build(refund_spans(output="Order 4471: pending"))).count("tool") == 1


def test_it_unwraps_a_result_from_a_tool_message() -> None:
    wrapped = {
        "output": {"lc": 1, "id": ["ToolMessage"], "kwargs": {"content": "late", "type": "tool", "tool_call_id": "c1"}}
    }

    (turn,) = [turn for turn in transcript.build(refund_spans(output=wrapped)).turns if turn.span.span_type == "TOOL"]

    assert turn.message.parts[-1].text == "late"


def test_it_shows_results_without_a_tool_span() -> None:
    spans = [each for each in refund_spans() if each.span_type != "TOOL"]

    assert roles(transcript.build(spans)).count("tool") == 1


def test_it_finds_the_answer_before_a_later_check() -> None:
    check = span(
        5,
        1,
        "LLM",
        input=[chat_message("user", "Is this polite? " + ANSWER)],
        output=[chat_message("assistant", "passed")],
    )
    built = transcript.build([*refund_spans(), check])

    assert built.answer is not None
    assert built.answer.text == ANSWER
    assert [turn.text for turn in built.later] == ["Is this polite? " + ANSWER, "passed"]


def test_it_takes_the_traces_output_for_the_answer_when_no_model_produced_it() -> None:
    spans = refund_spans()
    spans[0].output = "Dear Ana,\n\n" + ANSWER + "\n\nYour refund desk"
    built = transcript.build(spans)

    assert built.answer is built.turns[-1]
    assert built.answer is not None
    assert built.answer.span is spans[0]


def test_it_finds_a_structured_answer_of_the_model() -> None:
    spans = [
        span(1, at=(0, 9), input={"invoice": "inv_7"}, output={"total": 12, "currency": "EUR"}),
        span(2, 1, "LLM", input=[QUESTION], output=[chat_message("assistant", '{ "total": 12, "currency": "EUR" }')]),
        span(3, 1, "LLM", input=[chat_message("user", "language?")], output=[chat_message("assistant", "en")]),
    ]
    built = transcript.build(spans)

    assert built.answer is not None
    assert built.answer.span is spans[1]


def test_it_shows_the_traces_own_question_before_the_prompt_with_it() -> None:
    prompt = chat_message("user", "Context: a lease.\nQuestion: What is the notice period?")
    spans = [
        span(1, at=(0, 9), input={"question": "What is the notice period?"}),
        span(2, 1, "LLM", input=[prompt], output=[chat_message("assistant", "Three months.")]),
    ]
    built = transcript.build(spans)

    assert built.question is not None
    assert built.question.text == "What is the notice period?"
    assert [turn.is_collapsed for turn in built.turns] == [False, True, False]


def test_it_keeps_two_equal_messages_of_one_conversation() -> None:
    conversation = [
        QUESTION,
        chat_message("assistant", "Shall I?"),
        chat_message("user", "yes"),
        chat_message("assistant", "Sure?"),
        chat_message("user", "yes"),
    ]

    built = transcript.build([span(1, None, "LLM", input=conversation, output=[chat_message("assistant", "Done.")])])

    assert [turn.text for turn in built.turns if turn.role == "user"].count("yes") == 2
    assert built.question is built.turns[4]


def test_it_shows_earlier_messages_before_the_traces_own_question() -> None:
    conversation = [SYSTEM_PROMPT, chat_message("user", "Hello"), chat_message("assistant", "What can I do?"), QUESTION]
    spans = [
        span(1, at=(0, 9), input={"question": QUESTION["content"]}, output=ANSWER),
        span(2, 1, "LLM", input=conversation, output=[chat_message("assistant", ANSWER)]),
    ]
    built = transcript.build(spans)

    assert [turn.text for turn in built.earlier] == ["Hello", "What can I do?"]
    assert [turn.text for turn in built.main] == [QUESTION["content"], ANSWER]


def test_it_takes_a_batchs_own_input_and_output_for_question_and_answer() -> None:
    spans = [
        span(1, at=(0, 9), input={"since": "monday"}, output={"labelled": 2}),
        span(2, 1, "LLM", input=[chat_message("user", "label a")], output=[chat_message("assistant", "defect")]),
        span(3, 1, "LLM", input=[chat_message("user", "label b")], output=[chat_message("assistant", "payment")]),
    ]
    built = transcript.build(spans)

    assert built.question is not None
    assert built.answer is not None
    assert (built.question.text, built.answer.text) == ('{"since": "monday"}', '{"labelled": 2}')


def test_it_shows_a_reworded_result_once_in_a_long_conversation() -> None:
    tool_result = {"role": "tool", "tool_call_id": "c1", "content": '{"result": "pending"}'}
    spans = [
        *refund_spans(),
        span(5, 1, "LLM", input=[SYSTEM_PROMPT, QUESTION, TOOL_CALL, tool_result, chat_message("user", "thanks")]),
    ]
    spans[3].input = json.dumps([SYSTEM_PROMPT, QUESTION, TOOL_CALL, tool_result])

    assert roles(transcript.build(spans)).count("tool") == 1


def test_it_puts_messages_before_the_question_into_earlier() -> None:
    conversation = [SYSTEM_PROMPT, QUESTION, chat_message("assistant", "On its way."), chat_message("user", "When?")]
    built = transcript.build(
        [span(1, None, "LLM", input=conversation, output=[chat_message("assistant", "Tomorrow.")])]
    )

    assert [turn.text for turn in built.earlier] == [QUESTION["content"], "On its way."]
    assert [turn.text for turn in built.main] == ["When?", "Tomorrow."]
    assert [turn.role for turn in built.system] == ["system"]


def test_it_puts_every_turn_into_one_group() -> None:
    built = transcript.build(refund_spans())
    grouped = [*built.system, *built.earlier, *built.main, *built.later]

    assert sorted(turn.number for turn in grouped) == list(range(1, len(built.turns) + 1))


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


def test_it_shows_a_tool_that_called_a_model_after_that_model() -> None:
    spans = [
        span(1, None, at=(0, 9)),
        span(2, 1, "TOOL", name="research", at=(1, 8), output="found"),
        span(3, 2, "LLM", input=[QUESTION], output=[chat_message("assistant", "notes")]),
    ]

    assert roles(transcript.build(spans)) == ["user", "assistant", "tool"]


def test_it_falls_back_to_the_top_spans_input_and_output() -> None:
    spans = [span(1, at=(0, 9), input="ping", output="pong"), span(2, 1, "TOOL", name="socket", output="ok")]
    built = transcript.build(spans)

    assert [(turn.role, turn.text) for turn in built.turns] == [("user", "ping"), ("tool", ""), ("assistant", "pong")]
    assert (built.question, built.answer) == (built.turns[0], built.turns[2])


def test_it_returns_an_empty_transcript_without_spans() -> None:
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
def test_it_is_partial_when_a_span_is_missing_or_running(spans: list[FakeSpan], is_partial: bool) -> None:
    assert transcript.build(spans).is_partial is is_partial


def test_it_counts_tool_calls_and_names_the_longest_step() -> None:
    spans = refund_spans()
    spans[2] = span(3, 1, "TOOL", name="lookup_order", at=(3, 7), output={"status": "pending"})
    built = transcript.build(spans)

    assert built.tool_call_count == 1
    assert built.longest is not None
    assert built.longest.span is spans[2]


def test_it_counts_characters_and_words_of_a_turn() -> None:
    (turn,) = transcript.build([span(1, None, "LLM", input="three short words")]).turns

    assert (turn.char_count, turn.word_count) == (17, 3)


def test_it_reads_a_long_conversation_quickly() -> None:
    conversation = [chat_message(("user", "assistant")[n % 2], f"message {n} " + "word " * 40) for n in range(240)]
    spans = [
        span(n + 1, None, "LLM", input=conversation[: 2 * n + 1], output=[conversation[2 * n + 1]]) for n in range(120)
    ]
    start = process_time()

    built = transcript.build(spans)

    assert process_time() - start < 4
    assert len(built.turns) == 240


def test_it_survives_a_cycle_of_spans() -> None:
    spans = [span(1, 2, "LLM", input=[QUESTION]), span(2, 1, "LLM", output=[chat_message("assistant", ANSWER)])]

    assert transcript.build(spans).is_partial


def test_it_shows_equal_messages_as_often_as_an_input_repeats_them() -> None:
    one, two = [QUESTION] * 3, [QUESTION] * 5
    built = transcript.build([span(1, None, "LLM", input=one), span(2, None, "LLM", input=two)])
    assert (len(built.turns), built.repeat_count) == (5, 3)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("generateTitle", ""),
        ("output-guardrail", ""),
        ("call", "Write a short title for this conversation."),
        ("call", "Rate the response from 1 to 5."),
    ],
)
def test_it_takes_no_call_beside_the_conversation_for_the_answer(name: str, prompt: str) -> None:
    spans = [
        span(1, name="agent"),
        span(2, 1, "LLM", input=[QUESTION], output=[chat_message("assistant", ANSWER)]),
        span(3, 1, "LLM", name=name, input=[chat_message("user", prompt)], output="Refund"),
    ]
    answer = transcript.build(spans).answer
    assert answer is not None
    assert answer.text == ANSWER
