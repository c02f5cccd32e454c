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


def outline(*links: tuple[Hashable, Hashable]) -> list[tuple[Hashable, int]]:
    return [(links[place.position][0], place.depth) for place in steps.walk_depth_first(links)]


@pytest.fixture
def trace(project: Project) -> Trace:
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=1_200)
    return trace


def with_chain(trace: Trace, count: int) -> None:
    """Spans of a trace, each under the one before it."""
    spans = [
        SpanFactory.build(trace=trace, span_id=UUID(int=n), parent_span_id=UUID(int=n - 1), name=f"step no {n}.")
        for n in range(1, count + 1)
    ]
    Span.objects.bulk_create(spans, batch_size=500)


def test_it_walks_depth_first_in_the_order_given() -> None:
    assert outline((1, None), (2, 1), (3, 2), (4, 2), (5, 1)) == [(1, 0), (2, 1), (3, 2), (4, 2), (5, 1)]


def test_it_finds_a_parent_that_began_later() -> None:
    assert outline((2, 1), (1, None), (3, 1)) == [(1, 0), (2, 1), (3, 1)]


def test_it_shows_an_orphan_at_the_top() -> None:
    assert outline((1, None), (2, 99), (3, 2)) == [(1, 0), (2, 0), (3, 1)]


def test_it_takes_the_nil_id_and_itself_for_no_parent() -> None:
    assert outline((1, UUID(int=0)), ("2", "2"), (3, "0" * 32)) == [(1, 0), ("2", 0), (3, 0)]


def test_it_cuts_a_cycle_at_its_first_span() -> None:
    assert outline((1, None), (2, 4), (3, 2), (4, 3)) == [(1, 0), (2, 0), (3, 1), (4, 2)]


def test_it_shows_two_spans_of_one_id_both() -> None:
    assert outline((1, None), (2, 1), (2, 1), (3, 2)) == [(1, 0), (2, 1), (3, 2), (2, 1)]


def test_it_walks_nothing() -> None:
    assert steps.walk_depth_first([]) == []


@pytest.mark.parametrize("branching", [1, 10, 100_000])
def test_it_walks_a_hundred_thousand_spans_in_seconds(branching: int) -> None:
    links = [(number, (number - 1) // branching or None) for number in range(1, 100_001)]
    begun = process_time()

    assert len(steps.walk_depth_first(links)) == 100_000
    assert process_time() - begun < 3


@pytest.mark.parametrize(
    ("at", "expected"), [((0, 10), (0, 1)), ((2.5, 5), (0.25, 0.25)), ((-5, 20), (0, 1)), ((8, 2), (0.8, 0))]
)
def test_it_lays_a_step_on_the_traces_time(at: tuple[float, float], expected: tuple[float, float]) -> None:
    whole = span(1, at=(0, 10))
    assert whole.end_time is not None
    assert steps.waterfall_fractions(START_TIME, whole.end_time, span(2, at=at)) == expected


def test_it_fills_the_width_when_nothing_took_time() -> None:
    assert steps.waterfall_fractions(START_TIME, START_TIME, span(1, at=(3, 3))) == (0, 1)


def test_its_pages_reach_every_step(reviewer_client: Client, trace: Trace) -> None:
    with_chain(trace, 1_200)
    pages = [
        reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?tab=steps&from={at}").text for at in (0, 500, 1_000)
    ]
    shown = [page.count('<tr id="step-') for page in pages]
    assert shown == [500, 500, 200]
    assert "step no 1200." in pages[2]
    assert "Steps 501 to 1,000 of 1,200" in pages[1]


def test_a_page_beyond_the_end_is_the_last(reviewer_client: Client, trace: Trace) -> None:
    with_chain(trace, 3)
    assert "step no 3." in reviewer_client.get(f"/p/support/traces/{trace.trace_id}/?tab=steps&from=999999").text


def test_its_queries_do_not_grow_with_steps(trace: Trace, django_assert_max_num_queries: object) -> None:
    with_chain(trace, 40)
    assert callable(django_assert_max_num_queries)
    with django_assert_max_num_queries(3):
        assert len(steps.load_page(steps.load_outline(trace), 0).rows) == 40


def test_it_tells_errors_and_what_it_left_out(trace: Trace) -> None:
    SpanFactory.create(trace=trace, status="error", input="x" * 5_000, output="")
    (row,) = steps.load_page(steps.load_outline(trace), 0).rows
    assert (row.is_error, len(row.input_preview), row.omitted_chars) == (True, steps.TEXT_LIMIT, 1_000)
