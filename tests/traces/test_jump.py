"""Jumps and searches reach targets that are not on the page, with URLs that work without JavaScript."""

import html
import re
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.models import Span, Trace
from tests.factories import SpanFactory, TraceFactory

SPAN_COUNT = 900


@pytest.fixture
def trace(project: Project) -> Trace:
    """A trace of 900 tool calls: 300 and 800 failed, 850 recorded an exception."""
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=SPAN_COUNT)
    Span.objects.bulk_create(
        SpanFactory.build(
            trace=trace, span_id=UUID(int=number), name=f"look {number}", span_type="TOOL", input="{}",
            output=canonical_json.dumps({"städte": f"needle {number}"}) if number % 300 == 0 else "hay",
            status="error" if number in (300, 800) else "success", start_time=_time_after(trace, number),
            event_texts='[{"timestamp": 1, "name": "exception", "attributes": "{}"}]' if number == 850 else "[]",
        )
        for number in range(1, SPAN_COUNT + 1)
    )  # fmt: skip
    return trace


def _time_after(trace: Trace, number: int) -> datetime:
    assert trace.start_time is not None
    return trace.start_time + timedelta(seconds=number)


def get_page(client: Client, trace: Trace, query: str) -> str:
    return client.get(f"/p/support/traces/{trace.trace_id}/{query}").text


def jump_url(page: str, kind: str) -> str:
    """Return the URL of the jump to the next target of a kind."""
    match = re.search(f'data-jump="{kind}"[^>]* href="([^"]*)"', page)
    assert match is not None
    return html.unescape(match[1])


def step_name(trace: Trace, url: str) -> str:
    """Return the name of the step in a URL's fragment."""
    return trace.spans.get(pk=int(url.rpartition("#step-")[2])).name


def test_it_jumps_from_error_to_error_across_pages_of_steps(reviewer_client: Client, trace: Trace) -> None:
    visited, query = [], "?tab=steps"
    for _ in range(4):
        query = jump_url(get_page(reviewer_client, trace, query), "error")
        visited.append((step_name(trace, query), "from=500" in query))
    assert visited == [("look 300", False), ("look 800", True), ("look 850", True), ("look 300", False)]


def test_it_answers_with_the_page_of_the_next_error(reviewer_client: Client, trace: Trace) -> None:
    after = trace.spans.get(name="look 300").pk
    page = get_page(reviewer_client, trace, f"?tab=steps&jump=error&after={after}")
    target = trace.spans.get(name="look 800").pk
    assert f'data-goal="step-{target}"' in page
    assert f'<tr id="step-{target}"' in page
    assert "Error 2 of 3" in page


def test_it_jumps_to_an_error_in_a_gap_of_the_transcript(reviewer_client: Client, trace: Trace) -> None:
    assert "look 300" not in get_page(reviewer_client, trace, "")
    page = get_page(reviewer_client, trace, "?jump=error")
    assert "Error 1 of 3" in page
    assert 'data-goal="turn-300"' in page
    assert 'id="turn-300"' in page


@pytest.mark.parametrize(
    "query", ["?tab=steps&jump=error&after=999999", "?jump=match", "?tab=raw&jump=tool", "?jump=x"]
)
def test_it_works_when_a_jump_has_no_target(reviewer_client: Client, trace: Trace, query: str) -> None:
    assert reviewer_client.get(f"/p/support/traces/{trace.trace_id}/{query}").status_code == 200


@pytest.mark.parametrize("tab", ["steps", "raw"])
@pytest.mark.parametrize("text", ["NEEDLE", "städte"])
def test_it_searches_all_steps_and_keeps_the_tab(reviewer_client: Client, trace: Trace, tab: str, text: str) -> None:
    page = get_page(reviewer_client, trace, f"?tab={tab}&find={text}")
    assert f"3 steps in this trace contain “{text}”." in page
    assert f'name="tab" value="{tab}"' in page
    first_match = jump_url(page, "match")
    assert step_name(trace, first_match) == "look 300"
    assert step_name(trace, jump_url(get_page(reviewer_client, trace, first_match), "match")) == "look 600"


def test_it_counts_matching_metadata(reviewer_client: Client, trace: Trace) -> None:
    Trace.objects.update(metadata=canonical_json.dumps({"plan": "gold", "Golden": 1, "b": 2}))
    assert "2 values in this trace contain “GOLD”." in get_page(reviewer_client, trace, "?tab=metadata&find=GOLD")


def test_it_takes_no_parent_span_for_the_longest_step(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=2)
    parent = SpanFactory.create(trace=trace, name="agent", end_time=_time_after(trace, 9))
    SpanFactory.create(trace=trace, name="slow", parent_span_id=parent.span_id, end_time=_time_after(trace, 8))
    assert step_name(trace, jump_url(get_page(reviewer_client, trace, "?tab=steps"), "longest")) == "slow"
