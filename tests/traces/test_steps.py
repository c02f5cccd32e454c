import json
from collections.abc import Hashable
from time import process_time
from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.reader import steps
from tests.factories import SpanFactory, TraceFactory
from tests.traces.spans import START_TIME, span


def walk(*links: tuple[Hashable, Hashable]) -> list[tuple[Hashable, int]]:
    """Return the id and depth of each span in order."""
    return [(links[position][0], depth) for position, depth in steps.walk_depth_first(links)]


@pytest.fixture
def trace(project: Project) -> Trace:
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=1_200)
    return trace


def create_chain(trace: Trace, count: int) -> None:
    """Create spans of a trace, each the child of the one before it."""
    spans = [
        SpanFactory.build(trace=trace, span_id=UUID(int=n), parent_span_id=UUID(int=n - 1), name=f"step no {n}.")
        for n in range(1, count + 1)
    ]
    Span.objects.bulk_create(spans, batch_size=500)


def test_it_walks_depth_first_in_start_order() -> None:
    assert walk((1, None), (2, 1), (3, 2), (4, 2), (5, 1)) == [(1, 0), (2, 1), (3, 2), (4, 2), (5, 1)]


def test_it_finds_a_parent_that_started_later() -> None:
    assert walk((2, 1), (1, None), (3, 1)) == [(1, 0), (2, 1), (3, 1)]


def test_it_shows_an_orphan_at_the_top() -> None:
    assert walk((1, None), (2, 99), (3, 2)) == [(1, 0), (2, 0), (3, 1)]


def test_it_takes_a_nil_parent_and_itself_for_no_parent() -> None:
    assert walk((1, UUID(int=0)), ("2", "2"), (3, "0" * 32)) == [(1, 0), ("2", 0), (3, 0)]


def test_it_cuts_a_cycle_at_its_first_span() -> None:
    assert walk((1, None), (2, 4), (3, 2), (4, 3)) == [(1, 0), (2, 0), (3, 1), (4, 2)]


def test_it_shows_both_spans_with_the_same_id() -> None:
    assert walk((1, None), (2, 1), (2, 1), (3, 2)) == [(1, 0), (2, 1), (3, 2), (2, 1)]


def test_it_returns_nothing_without_spans() -> None:
    assert steps.walk_depth_first([]) == []


@pytest.mark.parametrize("branching", [1, 10, 100_000])
def test_it_walks_a_hundred_thousand_spans_in_seconds(branching: int) -> None:
    links = [(number, (number - 1) // branching or None) for number in range(1, 100_001)]
    start = process_time()

    assert len(steps.walk_depth_first(links)) == 100_000
    assert process_time() - start < 3


@pytest.mark.parametrize(
    ("times", "expected"), [((0, 10), (0, 1)), ((2.5, 5), (0.25, 0.25)), ((-5, 20), (0, 1)), ((8, 2), (0.8, 0))]
)
def test_it_places_a_step_within_the_traces_duration(times: tuple[float, float], expected: tuple[float, float]) -> None:
    root = span(1, at=(0, 10))
    assert root.end_time is not None
    assert steps.waterfall_fractions(START_TIME, root.end_time, span(2, at=times)) == expected


def test_it_fills_the_width_when_nothing_took_time() -> None:
    assert steps.waterfall_fractions(START_TIME, START_TIME, span(1, at=(3, 3))) == (0, 1)


def test_it_shows_every_step_on_some_page(reviewer_client: Client, trace: Trace) -> None:
    create_chain(trace, 1_200)
    pages = [
        reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?tab=steps&from={start}").text
        for start in (0, 500, 1_000)
    ]
    assert [page.count('<tr id="step-') for page in pages] == [500, 500, 200]
    assert "step no 1200." in pages[2]
    assert "Steps 501 to 1,000 of 1,200" in pages[1]


def test_it_shows_the_last_page_when_the_start_is_after_the_end(reviewer_client: Client, trace: Trace) -> None:
    create_chain(trace, 3)
    assert "step no 3." in reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?tab=steps&from=999999").text


def test_it_runs_the_same_queries_for_more_steps(trace: Trace, django_assert_max_num_queries: object) -> None:
    create_chain(trace, 40)
    assert callable(django_assert_max_num_queries)
    with django_assert_max_num_queries(3):
        assert len(steps.load_page(steps.load_outline(trace), 0).rows) == 40


def test_it_shows_errors_and_counts_omitted_characters(trace: Trace) -> None:
    SpanFactory.create(trace=trace, status="error", input="x" * 5_000, output="")
    (row,) = steps.load_page(steps.load_outline(trace), 0).rows
    assert (row.is_error, len(row.input_preview), row.omitted_chars) == (True, steps.TEXT_LIMIT, 1_000)


def test_it_shows_a_models_input_as_messages_in_a_row_of_its_own(reviewer_client: Client, trace: Trace) -> None:
    conversation = [{"role": "system", "content": "Be **brief**."}, {"role": "user", "content": "Where is it?"}]
    SpanFactory.create(trace=trace, input=json.dumps(conversation), output='"There."')
    page = reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?tab=steps").text
    detail = page[page.index('<tr class="detail">') :]
    assert "<strong>brief</strong>" in detail
    assert "&quot;role&quot;" not in detail


def test_it_loads_a_long_conversation_whole(reviewer_client: Client, trace: Trace) -> None:
    conversation = [{"role": "user", "content": "word " * 2_000}, {"role": "user", "content": "And now?"}]
    span = SpanFactory.create(trace=trace, input=json.dumps(conversation))
    url = f"/p/support/traces/{trace.trace_id}/?tab=steps"
    assert "Open this step" in reviewer_client.get(url).text
    for query in (f"&span={span.span_id}&piece=1", f"&span={span.span_id}"):
        assert "And now?" in reviewer_client.get(url + query).text


@pytest.mark.parametrize(("span_type", "label"), [("LLM", "LLM call"), ("TOOL", "Tool"), ("DEFAULT", "Step")])
def test_it_names_a_type_in_words(reviewer_client: Client, trace: Trace, span_type: str, label: str) -> None:
    SpanFactory.create(trace=trace, span_type=span_type, name="x")
    page = reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?tab=steps").text
    assert f'<td class="second">{label}</td>' in page


def test_it_names_a_retrieval(reviewer_client: Client, trace: Trace) -> None:
    SpanFactory.create(trace=trace, span_type="TOOL", name="search_docs", output='[{"title": "A", "text": "b"}]')
    assert (
        '<td class="second">Retrieval</td>'
        in reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?tab=steps").text
    )


def test_it_works_when_the_step_does_not_exist(reviewer_client: Client, trace: Trace) -> None:
    create_chain(trace, 2)
    url = f"/p/support/traces/{trace.trace_id}/?tab=steps&span={UUID(int=99)}"
    assert reviewer_client.get(url).status_code == 200
    assert "no longer exists" in reviewer_client.get(f"{url}&piece=1").text
