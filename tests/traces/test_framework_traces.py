"""Every page of a framework's trace shows the question and an answer or a result."""

import html
import re
from typing import Any
from uuid import UUID

import pytest

from reviewapp.accounts.models import Project
from reviewapp.traces.reader.trace_reader import open_reader
from reviewapp.traces.reader.transcript_html import render_transcript
from reviewapp.traces.sync import storing
from reviewapp.tracestore import attributes, ids
from reviewapp.tracestore.spans import Event
from reviewapp.tracestore.spans import Span as ReceivedSpan
from tests.traces.framework_traces import ARGUMENTS, CALL, FRAMEWORKS, QUESTION, TEXT, Ending, generate
from tests.traces.rows import span_row, store_pulled_spans, trace_row

pytestmark = pytest.mark.django_db
SECOND = 1_000_000_000
START = 1_795_000_000 * SECOND


def store_span(number: int, parent: int, name: str, sent: dict[str, Any], events: Any = ()) -> Any:
    """Returns the row that the trace store makes of a span."""
    span_ids = [str(UUID(int=parent)) if parent else ids.NIL, str(UUID(int=number))]
    start = START + number * SECOND
    listed = [Event(start, event, fields) for event, fields in events]
    received = ReceivedSpan(str(UUID(int=1)), span_ids[1], span_ids[0], name, start, start + SECOND // 2, sent, listed)
    record = attributes.read(received)
    return span_row(
        number, parent_span_id=span_ids[0], name=record.name, span_type=record.type, input=record.input,
        output=record.output, attributes=record.attributes, start_time=f"2026-11-22 10:00:0{number}",
        end_time=f"2026-11-22 10:00:0{number}.5", events=[attributes._event_object(event) for event in record.events],
    )  # fmt: skip


def render(project: Project, framework: str, ending: str, *, is_carried_out: bool = False) -> str:
    """Returns the page of a framework's trace as text."""
    written = FRAMEWORKS[framework](Ending(ending))
    rows = [store_span(1, 0, "agent", written.around), store_span(2, 1, "chat", written.attributes, written.events)]
    if is_carried_out:
        tool = {"lmnr.span.type": "TOOL", "lmnr.span.input": "{}", "lmnr.span.output": '"at sea"'}
        rows.append(store_span(3, 1, CALL, tool))
    (trace,) = storing.store_traces(project, [trace_row(UUID(int=1))])
    store_pulled_spans(trace, rows)
    trace.refresh_from_db()
    page = render_transcript(open_reader(trace, {}, "/p/support/traces/"))
    return html.unescape(re.sub(r"<[^>]+>", "\n", page))


@pytest.mark.parametrize(("framework", "ending", "is_carried_out"), list(generate()))
def test_it_shows_an_answer_or_a_result(project: Project, framework: str, ending: str, is_carried_out: bool) -> None:
    page = render(project, framework, ending, is_carried_out=is_carried_out)
    label = {"text": "Answer", "structured": "Result: structured output"}.get(ending, "Result: tool call")
    expected = [QUESTION, label, {"text": TEXT, "structured": "Bergen"}.get(ending, CALL)]
    expected += [str(ARGUMENTS["order"])] if ending == "call" else []
    assert [text for text in expected if text not in page] == []
    assert [text for text in ("no final answer", "after the answer", "{}", "could not be") if text in page] == []


def test_it_says_what_comes_after_an_error(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row(UUID(int=1))])
    failed = span_row(1, span_type="LLM", status="error", input='[{"role":"user","content":"Where?"}]')
    late = span_row(2, span_type="TOOL", name="clean_up", output='"done"', start_time="2026-11-22 10:00:05")
    store_pulled_spans(trace, [failed, late])
    trace.refresh_from_db()
    page = render_transcript(open_reader(trace, {}, "/p/support/traces/"))
    assert "after the answer" not in page


@pytest.mark.parametrize("output", ['[{"role":"assistant","content":""}]', '[{"role":"assistant","content":"  "}]'])
def test_it_shows_no_empty_answer(project: Project, output: str) -> None:
    (trace,) = storing.store_traces(project, [trace_row(UUID(int=1))])
    store_pulled_spans(trace, [span_row(1, span_type="LLM", input='[{"role":"user","content":"Hi"}]', output=output)])
    trace.refresh_from_db()
    page = render_transcript(open_reader(trace, {}, "/p/support/traces/"))
    assert ("This trace has no final answer." in page, 'class="turn assistant answer"' in page) == (True, False)
