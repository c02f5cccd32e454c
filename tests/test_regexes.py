"""Every regex over foreign or typed text takes steps in proportion to the text, whatever it contains."""

import re

import pytest

from reviewapp.laminar.redaction import ENCODED_CHAR, UNICODE_ESCAPE
from reviewapp.lib import csv_cells, invisible_chars
from reviewapp.lib.word_diff import WORD
from reviewapp.queues.adding import LINE
from reviewapp.traces.metadata import merge, registry
from reviewapp.traces.reader import markdown_rules, passages_html
from reviewapp.traces.reader.sanitising import render_markdown
from reviewapp.traces.transcript import parts, side_calls, span_content, stream_chunks
from reviewapp.tracestore import partial_json
from reviewapp.tracestore.sql import json_functions
from tests.regex_steps import count_steps

REGEXES = {
    "string literals and brackets": merge.TOKENS, "tokens of simpleJSON": json_functions.TOKEN, "words": WORD,
    "escapes": UNICODE_ESCAPE, "encoded characters": ENCODED_CHAR,
    "a pasted line": LINE, "hidden characters": invisible_chars._PATTERN,
    "JSON of an OTLP request": partial_json._TOKENS, "escapes in JSON": parts._ESCAPE,
    "streamed chunks": stream_chunks._SSE_DATA, "a prompt for a title": side_calls._PROMPT,
    "words of a name": side_calls._WORD_BREAK,
    "attributes of conventions": span_content._HINT, "separators of a key": registry._SEPARATORS,
    "a formula": csv_cells._FORMULA, "addresses": markdown_rules._ADDRESS,
    "names like __init__": markdown_rules._DUNDER,
}  # fmt: skip
PIECES = (
    '"', '\\"', '"\\', "\\", "\\u", "[", "a ", " ", "a, ", "\u200d", "\U0001f3f4\U000e0020", "\ufe0f", "\u200ba",
    "{ ", "\n", "generate ", "data: ", "__a", "://", "__", "a_", "%25", "&#1",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("name", REGEXES)
def test_it_takes_steps_in_proportion_to_the_text(name: str, piece: str) -> None:
    texts = [f"a{(piece * size)[:size]}.".removesuffix("." if name == "words" else "") for size in (400, 800)]
    short, long = (count_steps(REGEXES[name], text.rstrip()) for text in texts)
    assert long < 2.3 * short + 50


@pytest.mark.parametrize("piece", ["<", "<pre ", "`a` ", "[1]", "[1", "**a** ", "```\na\n```\n", "![a](b) ", "</pre>"])
def test_it_looks_for_citations_in_proportion_to_the_rendered_text(piece: str) -> None:
    texts = [render_markdown((piece * size)[:size]) for size in (400, 800)]
    short, long = (count_steps(passages_html._MARKER, text) for text in texts)
    assert long < 2.3 * short + 200


def test_it_counts_the_steps_of_a_regex_that_reads_a_text_again_and_again() -> None:
    short, long = (count_steps(re.compile(r"\s+$"), " " * size + "a") for size in (100, 200))
    assert long > 3.5 * short
