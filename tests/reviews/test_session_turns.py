"""A trace of a session shows where it stands in it, and the session's other traces with their reviews."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue
from reviewapp.traces.filter_models import TraceTag
from reviewapp.traces.filters import session
from reviewapp.traces.models import Trace
from tests.factories import QueueItemFactory, ReviewFactory, TraceFactory


@pytest.fixture
def turns(project: Project) -> list[Trace]:
    """Five traces of one session, oldest first; two of them started at the same time."""
    start = clock.now() - timedelta(hours=1)
    return [
        TraceFactory.create(
            project=project,
            session_id="s1",
            start_time=start + timedelta(minutes=minute),
            excerpt=(f"Question {number}", ""),
        )
        for number, minute in enumerate((0, 1, 1, 2, 3), 1)
    ]


def add_review(queue: Queue, trace: Trace, reviewer: User, state: str, **fields: object) -> None:
    item = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id, state=state, version=1)
    ReviewFactory.create(item=item, reviewer=reviewer, **fields)


def test_it_says_where_the_trace_stands(turns: list[Trace], reviewer_client: Client) -> None:
    places = [session.find_place(trace) for trace in turns]
    assert places == [session.SessionPlace(number, 5) for number in range(1, 6)]
    page = reviewer_client.get(f"/p/support/traces/{turns[2].trace_id}/").text
    assert "Trace 3 of 5 in its session" in " ".join(page.split())


def test_it_says_it_in_the_workbench(turns: list[Trace], queue: Queue, reviewer_client: Client) -> None:
    item = QueueItemFactory.create(queue=queue, trace_id=turns[2].trace_id)
    page = reviewer_client.get(f"/p/support/items/{item.pk}/").text
    assert "Trace 3 of 5 in its session" in " ".join(page.split())


def test_it_says_nothing_of_a_trace_that_is_alone(project: Project, turns: list[Trace]) -> None:
    TraceFactory.create(session_id="s2")
    assert session.find_place(TraceFactory.create(project=project, session_id="s2")) is None
    assert session.find_place(TraceFactory.create(project=project)) is None


def test_it_lists_the_session_in_order(turns: list[Trace], reviewer_client: Client) -> None:
    TraceFactory.create(session_id="s1", excerpt=("Question of a stranger", ""))
    page = reviewer_client.get(f"/p/support/traces/{turns[2].trace_id}/session/", headers={"HX-Request": "true"}).text
    assert re.findall(r"Question [\w ]+", page) == [f"Question {number}" for number in range(1, 6)]


def test_it_numbers_the_traces_that_it_shows(project: Project, reviewer_client: Client) -> None:
    traces = [TraceFactory.create(project=project, session_id="long") for _ in range(25)]
    page = reviewer_client.get(f"/p/support/traces/{traces[22].trace_id}/session/").text
    assert '<ol class="turns" start="3">' in page


def test_it_shows_the_reviews_that_the_reader_may_see(
    turns: list[Trace], queue: Queue, colleague: User, reviewer_client: Client, lead_client: Client
) -> None:
    add_review(queue, turns[0], colleague, ItemState.COMPLETED, score=Decimal("0.25"))
    add_review(queue, turns[1], colleague, ItemState.PENDING, score=Decimal("0.75"), is_unsure=True, notes="Hidden?")
    url = f"/p/support/traces/{turns[2].trace_id}/session/"
    page = reviewer_client.get(url).text
    assert "0.25" in page
    assert "Hidden?" not in page
    assert "unsure" not in page
    assert "Hidden?" in lead_client.get(url).text


def test_it_hides_a_tag_that_is_part_of_an_answer(
    turns: list[Trace], queue: Queue, colleague: User, reviewer_client: Client, lead_client: Client
) -> None:
    add_review(queue, turns[0], colleague, ItemState.PENDING, is_unsure=True)
    for source, name in (
        (TraceTag.Source.REVIEW, "wrong tool"),
        (TraceTag.Source.SPAN, "wrong tool"),
        (TraceTag.Source.ARRIVAL, "vip"),
    ):
        TraceTag.objects.create(
            project=queue.project, trace=turns[0], name=name, source=source, start_time=turns[0].start_time
        )
    for url in ("/p/support/traces/", f"/p/support/traces/{turns[0].trace_id}/"):
        page = reviewer_client.get(url).text
        assert "vip" in page
        assert "wrong tool" not in page
        assert "wrong tool" in lead_client.get(url).text
    assert reviewer_client.get("/p/support/traces/?tag=wrong+tool").context["page"].traces == []
    assert lead_client.get("/p/support/traces/?tag=wrong+tool").context["page"].traces == [turns[0]]
