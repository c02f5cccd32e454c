"""Each provider's shape is a file in shapes/: the stored text, and the messages that a reviewer reads."""

import json
import sys
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.traces.transcript import messages
from reviewapp.traces.transcript.messages import Message
from reviewapp.traces.transcript.parts import TEXT_LIMIT

SHAPES = sorted((Path(__file__).parent / "shapes").glob("*.json"))
KEYS = st.sampled_from(
    "role content parts type text tool_use tool_result function_call functionCall image source input output messages"
    " lc kwargs user assistant tool human message choices data name arguments tool_calls thinking file url 0 1".split()
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


def to_shape(message: Message) -> list[Any]:
    """Convert a message to the format of the shape files: role, name, then each part without trailing empty fields."""
    part_fields = []
    for part in message.parts:
        fields = [part.kind, part.text, part.name, part.call_id, part.media]
        while fields and not fields[-1]:
            fields.pop()
        part_fields.append(fields)
    return [message.role, message.name, *part_fields]


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_it_reads_the_shape(path: Path) -> None:
    shape = json.loads(path.read_text())

    read = messages.read(json.dumps(shape["given"]), shape.get("role", "data"))

    assert [to_shape(message) for message in read] == shape["read"]


@given(JSON_VALUES)
def test_it_never_raises(value: Any) -> None:
    for message in messages.read(json.dumps(value)):
        assert message.role in ("system", "user", "assistant", "tool", "data")
        assert all(part.text.encode() is not None for part in message.parts)


@given(st.text())
def test_it_shows_any_text(text: str) -> None:
    read = messages.read(text)

    assert bool(read) == bool(text.strip()) or text.strip().startswith(('"', "[", "{"))


@pytest.mark.parametrize("text", ["", "  \n", "[]", '""', "null"])
def test_it_reads_no_text_from_an_empty_value(text: str) -> None:
    assert all(part.text == "" for message in messages.read(text) for part in message.parts)


def test_it_uses_the_default_role_for_text() -> None:
    assert messages.read("Thanks!", "user")[0].role == "user"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000 + "]" * 10_000,
        '{"messages":' * 10_000 + "1" + "}" * 10_000,
        '[{"role":"user","content":' * 10_000 + '"x"' + "}]" * 10_000,
        '[{"role":"user","content":' * 300 + '"x"' + "}]" * 300,
        "[" * 4_000_000,
    ],
)
def test_it_survives_deep_json(text: str) -> None:
    start = process_time()

    assert messages.read(text)[0].parts[0].kind == "json"
    assert process_time() - start < 2


@pytest.mark.parametrize(
    "value",
    ["x" * 4_000_000, [{"role": "user", "content": "x"}] * 120_000, [{}] * 1_000_000, [{"parts": ["a"] * 900}] * 900],
)
def test_it_reads_four_megabytes_in_time(value: Any) -> None:
    text = json.dumps(value)
    start = process_time()

    read = messages.read(text)

    assert process_time() - start < 4
    assert sum(part.omitted_chars for message in read for part in message.parts) > 0


def test_it_counts_omitted_characters() -> None:
    (part,) = messages.read(json.dumps([{"role": "user", "content": "x" * (TEXT_LIMIT + 7)}]))[0].parts

    assert (len(part.text), part.omitted_chars) == (TEXT_LIMIT, 7)


def test_it_reads_the_end_of_a_very_long_conversation() -> None:
    read = messages.read(json.dumps([{"role": "user", "content": f"message {number}"} for number in range(9_000)]))

    assert read[-1].parts[0].text == "message 8999"
    assert "6,000 messages are not shown" in read[300].parts[0].text


@pytest.mark.parametrize("number", ["1.10", "1e999", "-0", "9" * 30, "9" * 5_000, "NaN"])
@pytest.mark.parametrize("shape", ['[{"role":"tool","content":{"a": %s}}]', '{"unknown": {"a": %s}}'])
def test_it_keeps_numbers_as_written(shape: str, number: str) -> None:
    (message,) = messages.read(shape % number)
    assert f'"a": {number}' in message.parts[0].text


def test_it_shows_both_values_of_a_repeated_key() -> None:
    text = '[{"role": "user", "content": "first", "content": "second"}]'
    (message,) = messages.read(text)
    assert message.parts[0].text == text


def test_it_replaces_lone_surrogates() -> None:
    assert messages.read('[{"role":"user","content":"\\ud800!"}]')[0].parts[0].text == "\ufffd!"


def test_it_never_shows_the_bytes_of_an_image() -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40_000}}

    (part,) = messages.read(json.dumps([{"role": "user", "content": [block]}]))[0].parts

    assert (part.kind, part.text, part.media) == ("image", "", "image/png, 30.0 kB")


def test_it_shows_truncated_json_as_json() -> None:
    text = '[{"role":"user","content":"' + "x" * 200_000

    assert messages.read(text)[0].parts[0].kind == "json"


@pytest.mark.parametrize("key", ["output", "input", "value", "messages", "result"])
def test_it_searches_a_value_once_at_each_level(key: str) -> None:
    def count_calls(depth: int) -> int:
        value: object = [{"a": number} for number in range(100)]
        for _ in range(depth):
            value = {key: value}
        calls = 0

        def profile(_: object, event: str, __: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(profile)
        try:
            messages.read(json.dumps(value))
        finally:
            sys.setprofile(None)
        return calls

    assert count_calls(8) < 1.5 * count_calls(4)


def test_it_reads_lists_of_any_depth() -> None:
    chat = json.dumps({"role": "user", "content": "a"})
    for depth in range(900, 1_000):
        assert len(messages.read("[" * depth + chat + "]" * depth)) == 1
