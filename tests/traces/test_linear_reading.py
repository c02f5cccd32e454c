"""Reading foreign messages takes calls in proportion to them, whatever they contain."""

import json
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from reviewapp.traces.reader import jump, search
from reviewapp.traces.transcript import content_blocks, framework_shapes, stream_chunks, transcript
from reviewapp.tracestore import attributes
from reviewapp.tracestore.spans import Span
from reviewapp.tracestore.sql.compiler import compile_query
from tests.traces.spans import chat_message, span

CHUNK = {"choices": [{"index": 0, "delta": {"content": "a", "tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]}
BLOCK = {"type": "tool_use", "id": "1", "name": "f", "input": {"a": [1]}}


def search_turns(size: int) -> object:
    messages = [chat_message("user", "a _b_ a") for _ in range(size)]
    built = transcript.build([span(1, None, "LLM", input=messages, output="a b")])
    result = search.find_turns(built, "a b")
    return jump.find_transcript_targets(built, result.targets)


def read_attributes(key: str) -> Callable[[int], object]:
    def read(size: int) -> object:
        fields = {key.format(number): "a" for number in range(size)} | {"gen_ai.operation.name": "chat"}
        return attributes.read(Span(str(UUID(int=1)), str(UUID(int=2)), "", "chat", 1, 2, fields))

    return read


FUNCTIONS: dict[str, Callable[[int], object]] = {
    "lines of a stream": lambda size: stream_chunks.read_lines(f"data: {json.dumps(CHUNK)}\n\n" * size),
    "chunks": lambda size: stream_chunks.join([CHUNK] * size),
    "calls in chunks": lambda size: stream_chunks.join([_chunk_of_call(number) for number in range(size)]),
    "texts": lambda size: stream_chunks.join_texts(["a "] * size),
    "blocks": lambda size: content_blocks.read([BLOCK] * size),
    "blocks in a result": lambda size: content_blocks.read([{"type": "tool_result", "content": [BLOCK] * size}]),
    "a framework's message": lambda size: framework_shapes.to_message({"text": "a", "generation_id": "1",
        "citations": [{"start": 0, "end": 1, "document_ids": ["a"]}] * size, "documents": [{"id": "a"}] * size}),
    "a framework's request": lambda size: framework_shapes.to_request(
        {"message": "a", "chat_history": [{"role": "USER", "message": "a"}] * size}),
    "search and jumps": search_turns,
    "values": lambda size: search.find_values([("key", "a b")] * size, "b"),
    "attributes": read_attributes("a.{}"),
    "prompts": read_attributes("gen_ai.prompt.{}.content"),
    "metadata": read_attributes("lmnr.association.properties.metadata.k{}"),
    "columns of a query": lambda size: compile_query(" ".join(["SELECT", "name AS n," * size, "id", "FROM spans"])),
    "conditions of a query": lambda size: compile_query(" ".join(["SELECT id FROM spans WHERE 1", *["OR 1"] * size])),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_takes_calls_in_proportion_to_what_it_reads(name: str) -> None:
    function = FUNCTIONS[name]
    function(10)
    short, long = (_count_calls(function, size) for size in (100, 200))
    assert long < 2.3 * short + 200


def _chunk_of_call(number: int) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": number, "function": {"arguments": "{"}}]}}]}


def _count_calls(function: Callable[[int], object], size: int) -> int:
    """Count the calls of functions, those written in C too."""
    count = 0

    def profile(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function(size)
    finally:
        sys.setprofile(None)
    return count
