"""A conversation's inputs are read as each would be alone, though only what is new is parsed."""

import json
from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reviewapp.traces.transcript import input_reader, messages
from tests.traces.spans import TOOL_CALL, chat_message

TURNS = st.sampled_from(
    [
        chat_message("user", "a"),
        chat_message("assistant", "b"),
        TOOL_CALL,
        {"role": "tool", "content": "c"},
        "text",
        {"no": "role"},
        7,
        [],
    ]
)


def texts(told: list[Any], separators: tuple[str, str]) -> list[str]:
    return [json.dumps(told[:length], separators=separators) for length in range(len(told) + 1)]


@given(st.lists(TURNS, max_size=6), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_it_reads_a_growing_input_as_if_alone(told: list[Any], separators: tuple[str, str]) -> None:
    ear = input_reader.InputReader()
    for text in texts(told, separators):
        assert [each.message for each in ear.read(text)] == messages.read(text, "user")


@given(st.text(alphabet='[]{},":role a', max_size=12))
def test_it_is_not_fooled_by_a_text_that_goes_on_otherwise(tail: str) -> None:
    ear = input_reader.InputReader()
    begun = json.dumps([chat_message("user", "hello")])
    ear.read(begun)

    assert [each.message for each in ear.read(begun[:-1] + tail)] == messages.read(begun[:-1] + tail, "user")


def test_it_reads_a_thousand_calls_in_a_second() -> None:
    told = [chat_message("user", f"message {number}") for number in range(1_000)]
    inputs, ear, begun = texts(told, (",", ":")), input_reader.InputReader(), process_time()

    assert sum(len(ear.read(text)) for text in inputs) == 500_500
    assert process_time() - begun < 2
