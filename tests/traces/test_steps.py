from time import process_time
from uuid import UUID

from reviewapp.traces.transcript import Step, steps
from tests.traces.spans import GivenSpan, raised, span


def outline(found: list[Step]) -> list[tuple[int, int]]:
    return [(step.span.span_id.int, step.depth) for step in found]


def test_it_walks_depth_first_in_start_order() -> None:
    spans = [span(5, 1), span(3, 2), span(2, 1), span(1), span(4, 2)]

    assert outline(steps(spans)) == [(1, 0), (2, 1), (3, 2), (4, 2), (5, 1)]


def test_it_lays_the_steps_on_the_traces_time() -> None:
    first, second = steps([span(1, at=(0, 10)), span(2, 1, at=(2.5, 5))])

    assert (first.offset, first.width) == (0, 1)
    assert (second.offset, second.width) == (0.25, 0.25)


def test_it_draws_a_span_that_has_not_ended_to_the_end() -> None:
    found = steps([span(1, at=(0, 10)), span(2, 1, at=(4, None))])

    assert (found[1].offset, found[1].width) == (0.4, 0.6)


def test_it_puts_a_span_without_a_start_last_among_its_siblings() -> None:
    assert outline(steps([span(1), span(2, 1, at=(None, None)), span(3, 1)])) == [(1, 0), (3, 1), (2, 1)]


def test_it_fills_the_width_when_nothing_took_time() -> None:
    assert [(step.offset, step.width) for step in steps([span(1, at=(3, 3))])] == [(0, 1)]


def test_it_shows_an_orphan_at_the_top() -> None:
    assert outline(steps([span(1), span(2, 99), span(3, 2)])) == [(1, 0), (2, 0), (3, 1)]


def test_it_takes_the_nil_id_and_itself_for_no_parent() -> None:
    assert outline(steps([span(1, 0), span(2, 2)])) == [(1, 0), (2, 0)]


def test_it_cuts_a_cycle_at_its_first_span() -> None:
    assert outline(steps([span(1), span(2, 4), span(3, 2), span(4, 3)])) == [(1, 0), (2, 0), (3, 1), (4, 2)]


def test_it_shows_two_spans_of_one_id_both() -> None:
    assert outline(steps([span(1), span(2, 1), span(2, 1), span(3, 2)])) == [(1, 0), (2, 1), (3, 2), (2, 1)]


def test_it_says_which_steps_failed_and_which_have_children() -> None:
    found = steps([span(1), span(2, 1, status="error"), span(3, 1, events=raised("E", "x"))])

    assert [(step.is_error, step.has_children) for step in found] == [(False, True), (True, False), (True, False)]


def test_it_walks_a_chain_of_ten_thousand() -> None:
    found = steps([GivenSpan(UUID(int=number), UUID(int=number - 1)) for number in range(1, 10_001)])

    assert found[-1].depth == 9_999


def test_it_walks_a_hundred_thousand_spans_in_seconds() -> None:
    spans = [GivenSpan(UUID(int=number), UUID(int=number // 10)) for number in range(1, 100_001)]
    begun = process_time()

    assert len(steps(spans)) == 100_000
    assert process_time() - begun < 5


def test_it_walks_nothing() -> None:
    assert steps([]) == []
