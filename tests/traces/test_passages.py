"""Passages of a retrieval: read in the shapes of vector stores, shown as cards, linked from the answer."""

import json
import re
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.traces.reader.passages_html import link_citations
from reviewapp.traces.reader.trace_reader import open_reader
from reviewapp.traces.reader.transcript_html import render_transcript
from reviewapp.traces.sync import storing
from reviewapp.traces.transcript import passages
from reviewapp.traces.transcript.passages import Passage
from tests.traces.rows import span_row, store_pulled_spans, trace_row
from tests.traces.spans import chat_message

ORIGIN = {"title": "Lakes"}
DEPTH = Passage("It is 40 m deep.", "Lakes", "lakes.pdf", "0.82")


@pytest.mark.parametrize(
    "result",
    [
        [{"content": DEPTH.text, "title": "Lakes", "source": "lakes.pdf", "score": 0.82}],
        {
            "documents": [
                {"page_content": DEPTH.text, "metadata": {"title": "Lakes", "source": "lakes.pdf"}, "score": 0.82}
            ]
        },
        {
            "matches": [
                {"id": "x", "score": 0.82, "metadata": {"text": DEPTH.text, "title": "Lakes", "url": "lakes.pdf"}}
            ]
        },
        [{"node": {"text": DEPTH.text, "metadata": {"file_name": "Lakes", "source": "lakes.pdf"}}, "score": 0.82}],
        {"hits": {"hits": [{"_score": 0.82, "_source": {"body": DEPTH.text, "title": "Lakes", "url": "lakes.pdf"}}]}},
    ],
)
def test_it_reads_the_passages(result: Any) -> None:
    assert passages.read(json.dumps(result)) == [DEPTH]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deep",
        "[]",
        "[1]",
        '["a"]',
        "{",
        "[" * 9_000,
        '[{"text": "a"}]',
        '[{"role": "user", "content": "a", "id": 1}]',
    ],
)
def test_it_reads_no_passages_from_anything_else(text: str) -> None:
    assert passages.read(text) == []


def test_it_links_only_numbers_that_have_a_passage() -> None:
    rendered = link_citations('<p title="[1]">deep [2] [3] [0]</p><pre>a[1]</pre>', 5, 2)
    assert re.findall(r'href="([^"]*)"', rendered) == ["?turn=5#passage-5-2"]


@pytest.mark.django_db
def test_it_shows_a_retrieval_as_cards_linked_from_the_answer(project: Project) -> None:
    documents = [{"content": f"Passage {number}.", "title": f"Lake {number}", "score": 0.5} for number in (1, 2)]
    question = [chat_message("user", "How deep?")]
    (trace,) = storing.store_traces(project, [trace_row()])
    rows = [
        span_row(1, name="agent"),
        span_row(2, name="vector_search", parent_span_id=str(span_row(1).span_id), input="How deep?",
                 output=json.dumps({"documents": documents})),
        span_row(3, span_type="LLM", parent_span_id=str(span_row(1).span_id), input=json.dumps(question),
                 output="It is 40 m deep [2]."),
    ]  # fmt: skip
    store_pulled_spans(trace, rows)
    trace.refresh_from_db()
    rendered = render_transcript(open_reader(trace, {}, "/x/"))
    assert "Retrieved 2 passages" in rendered
    (href,) = re.findall(r'<a class="cited" href="\?turn=\d+#([^"]*)">', rendered)
    assert f'id="{href}"' in rendered
    assert "<b>Lake 2</b>" in rendered
