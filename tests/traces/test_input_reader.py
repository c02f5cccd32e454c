"""The inputs of a conversation are read as if each were alone, though only new messages are parsed."""

import json
from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reviewapp.traces.transcript import input_reader, messages
from tests.traces.spans import TOOL_CALL, chat_message

ITEMS = st.sampled_from(
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


def growing_inputs(items: list[Any], separators: tuple[str, str]) -> list[str]:
    return [json.dumps(items[:length], separators=separators) for length in range(len(items) + 1)]


@given(st.lists(ITEMS, max_size=6), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_it_reads_a_growing_input_as_if_alone(items: list[Any], separators: tuple[str, str]) -> None:
    reader = input_reader.InputReader()
    for text in growing_inputs(items, separators):
        assert [read.message for read in reader.read(text)] == messages.read(text, "user")


@given(st.text(alphabet='[]{},":role a', max_size=12))
def test_it_reads_an_input_with_another_ending_as_if_alone(tail: str) -> None:
    reader = input_reader.InputReader()
    first_input = json.dumps([chat_message("user", "hello")])
    reader.read(first_input)
    next_input = first_input[:-1] + tail

    assert [read.message for read in reader.read(next_input)] == messages.read(next_input, "user")


def test_it_reads_a_thousand_calls_in_a_second() -> None:
    conversation = [chat_message("user", f"message {number}") for number in range(1_000)]
    inputs, reader = growing_inputs(conversation, (",", ":")), input_reader.InputReader()
    start = process_time()

    assert sum(len(reader.read(text)) for text in inputs) == 500_500
    assert process_time() - start < 2
