"""The transcript's page is made when the spans come, and is the one that would be made at opening."""

import json

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.traces import prepared, pulling
from reviewapp.traces.models import Prepared, Span, Trace
from reviewapp.traces.reading import Reading, reading_of
from reviewapp.traces.telling import transcript
from tests.traces.rows import span_row, store_spans, trace_row

pytestmark = pytest.mark.django_db
URL = "/p/support/items/7/reading/"


def pulled(project: Project, *said: str) -> Trace:
    """A trace as a pull leaves it: a model call for each of these texts."""
    row = trace_row()
    (trace,) = pulling.store_rows(project, [row])
    store_spans(
        trace, [span_row(number, output=text, span_type="LLM", input="Where?") for number, text in enumerate(said)]
    )
    trace.refresh_from_db()
    return trace


def opened(trace: Trace) -> Reading:
    return reading_of(trace, {}, URL)


def at_opening(trace: Trace) -> Reading:
    """The reading of a trace for which nothing was prepared."""
    Prepared.objects.all().delete()
    return opened(trace)


def test_it_shows_what_would_be_made_at_opening(project: Project) -> None:
    trace = pulled(project, "One moment.", "long " * 3_000, "It is Paris.")
    ready = opened(trace)
    assert ready.prepared is not None
    shown = (transcript(ready), ready.jumps, ready.answer, ready.is_partial, ready.is_empty)
    fresh = at_opening(trace)
    assert shown == (transcript(fresh), fresh.jumps, fresh.answer, fresh.is_partial, fresh.is_empty)
    assert URL in shown[0]
    assert shown[2] == "It is Paris."


def test_it_reads_no_span_to_open(project: Project) -> None:
    trace = pulled(project, "It is Paris.")
    Span.objects.all().delete()
    assert "It is Paris." in transcript(opened(trace))


def test_it_follows_the_spans(project: Project) -> None:
    trace = pulled(project, "One moment.")
    store_spans(trace, [span_row(1, output="It is Paris.", span_type="LLM")])
    assert "It is Paris." in transcript(opened(trace))


def test_a_search_reads_the_spans(project: Project) -> None:
    reading = reading_of(pulled(project, "It is Paris."), {"find": "paris"}, URL)
    assert reading.prepared is None
    assert reading.found is not None
    assert reading.found.matches == 1


def test_what_other_code_prepared_is_not_shown_and_is_prepared_again(project: Project) -> None:
    trace = pulled(project, "It is Paris.")
    Prepared.objects.update(version="older", html="stale")
    assert "It is Paris." in transcript(opened(trace))
    assert pulling.prepare_again(10) == 1
    assert pulling.prepare_again(10) == 0
    assert Prepared.objects.get().version == prepared.VERSION


def test_it_keeps_a_page_of_text_that_no_database_takes(project: Project) -> None:
    trace = pulled(project, json.dumps([{"role": "assistant", "content": "a\x00b \ud800 c"}]))
    assert "b" in transcript(opened(trace))


def test_it_is_what_a_reader_of_the_trace_gets(project: Project, reviewer_client: Client) -> None:
    trace = pulled(project, "It is Paris.")
    page = reviewer_client.get(f"/p/support/traces/{trace.trace_id}/").content.decode()
    assert "It is Paris." in page
    assert Prepared.objects.get().place not in page
