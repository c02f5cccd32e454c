"""Jumps and searches lead to what is not on the page, with addresses that work without JavaScript."""

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

LAST = 900


@pytest.fixture
def trace(project: Project) -> Trace:
    """A trace of 900 tool calls; no 300 and no 800 broke, no 850 recorded an exception."""
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=LAST)
    Span.objects.bulk_create(
        SpanFactory.build(
            trace=trace, span_id=UUID(int=number), name=f"look {number}", span_type="TOOL", input="{}",
            output=canonical_json.dumps({"städte": f"needle {number}"}) if number % 300 == 0 else "hay",
            status="error" if number in (300, 800) else "success", start_time=_at(trace, number),
            event_texts='[{"timestamp": 1, "name": "exception", "attributes": "{}"}]' if number == 850 else "[]",
        )
        for number in range(1, LAST + 1)
    )  # fmt: skip
    return trace


def _at(trace: Trace, number: int) -> datetime:
    assert trace.start_time is not None
    return trace.start_time + timedelta(seconds=number)


def seen(client: Client, trace: Trace, query: str) -> str:
    return client.get(f"/p/support/traces/{trace.trace_id}/{query}").text


def address(page: str, kind: str) -> str:
    """Where the way to the next of a kind leads."""
    found = re.search(f'data-jump="{kind}"[^>]* href="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


def name(trace: Trace, place: str) -> str:
    """The name of the step that an address ends at."""
    return trace.spans.get(pk=int(place.rpartition("#step-")[2])).name


def test_steps_lead_from_error_to_error_across_pages(reviewer_client: Client, trace: Trace) -> None:
    places, query = [], "?tab=steps"
    for _ in range(4):
        query = address(seen(reviewer_client, trace, query), "error")
        places.append((name(trace, query), "from=500" in query))
    assert places == [("look 300", False), ("look 800", True), ("look 850", True), ("look 300", False)]


def test_the_server_answers_with_the_page_of_the_next_one(reviewer_client: Client, trace: Trace) -> None:
    after = trace.spans.get(name="look 300").pk
    page = seen(reviewer_client, trace, f"?tab=steps&jump=error&after={after}")
    goal = trace.spans.get(name="look 800").pk
    assert f'data-goal="step-{goal}"' in page
    assert f'<tr id="step-{goal}"' in page
    assert "Error 2 of 3" in page


def test_a_transcript_leads_to_an_error_behind_a_gap(reviewer_client: Client, trace: Trace) -> None:
    assert "look 300" not in seen(reviewer_client, trace, "")
    page = seen(reviewer_client, trace, "?jump=error")
    assert "Error 1 of 3" in page
    assert 'data-goal="turn-300"' in page
    assert 'id="turn-300"' in page


@pytest.mark.parametrize(
    "query", ["?tab=steps&jump=error&after=999999", "?jump=match", "?tab=raw&jump=tool", "?jump=x"]
)
def test_a_jump_to_nothing_breaks_nothing(reviewer_client: Client, trace: Trace, query: str) -> None:
    assert reviewer_client.get(f"/p/support/traces/{trace.trace_id}/{query}").status_code == 200


@pytest.mark.parametrize("tab", ["steps", "raw"])
@pytest.mark.parametrize("text", ["NEEDLE", "städte"])
def test_a_search_looks_through_all_steps_and_keeps_the_tab(
    reviewer_client: Client, trace: Trace, tab: str, text: str
) -> None:
    page = seen(reviewer_client, trace, f"?tab={tab}&find={text}")
    assert f"3 steps in this trace contain “{text}”." in page
    assert f'name="tab" value="{tab}"' in page
    first = address(page, "match")
    assert name(trace, first) == "look 300"
    assert name(trace, address(seen(reviewer_client, trace, first), "match")) == "look 600"


def test_a_search_counts_metadata_too(reviewer_client: Client, trace: Trace) -> None:
    Trace.objects.update(metadata=canonical_json.dumps({"plan": "gold", "Golden": 1, "b": 2}))
    assert "2 values in this trace contain “GOLD”." in seen(reviewer_client, trace, "?tab=metadata&find=GOLD")


def test_the_longest_step_is_no_span_around_others(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=2)
    around = SpanFactory.create(trace=trace, name="agent", end_time=_at(trace, 9))
    SpanFactory.create(trace=trace, name="slow", parent_span_id=around.span_id, end_time=_at(trace, 8))
    assert name(trace, address(seen(reviewer_client, trace, "?tab=steps"), "longest")) == "slow"
