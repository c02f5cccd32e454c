"""The beginnings of questions and answers that lists show."""

import pytest

from reviewapp.accounts.models import Project
from reviewapp.traces.filter_models import Excerpt
from reviewapp.traces.sync import storing
from reviewapp.traces.transcript.excerpts import to_excerpt
from tests.traces.rows import span_row, store_pulled_spans, trace_row


@pytest.mark.django_db
def test_it_stores_them_when_spans_are_pulled(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row()])
    store_pulled_spans(trace, [span_row(1, span_type="LLM", input="Where  is\nit?", output="In Paris.\x00")])
    excerpt = Excerpt.objects.get(trace=trace)
    assert (excerpt.question, excerpt.answer) == ("Where is it?", "In Paris.\N{REPLACEMENT CHARACTER}")
    store_pulled_spans(trace, [span_row(1, span_type="LLM", input="Where is it?", output="In Rome.")])
    assert Excerpt.objects.get().answer == "In Rome."


@pytest.mark.parametrize("text", ["word " * 100_000, " " * 1_000_000 + "end", "é" * 201])
def test_it_shows_that_there_is_more(text: str) -> None:
    excerpt = to_excerpt(text)
    assert len(excerpt) <= Excerpt.MAX_LENGTH
    assert excerpt.endswith("…")
