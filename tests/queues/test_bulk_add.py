"""Traces chosen on the list are put into a queue: looked at first, told what was there, nobody else's."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.queues.models import ItemState, Queue, QueueItem, Removal
from reviewapp.traces.models import Trace
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory

URL = "/p/support/traces/to-queue/"


@pytest.fixture
def three(project: Project) -> list[Trace]:
    return [TraceFactory.create(project=project, metadata='{"a":1}') for _ in range(3)]


def test_it_shows_the_ticked_rows(lead_client: Client, queue: Queue, three: list[Trace]) -> None:
    page = lead_client.get(URL, {"m": "a=1", "trace": [str(three[0].trace_id), "x", str(three[2].trace_id)]})
    assert page.context["chosen"].trace_ids == [three[2].trace_id, three[0].trace_id]
    assert 'value="a=1"' in page.text
    assert not QueueItem.objects.exists()


def test_it_puts_exactly_what_was_shown(lead_client: Client, queue: Queue, three: list[Trace]) -> None:
    page = lead_client.get(URL, {"m": "a=1", "all": "1"})
    TraceFactory.create(project=queue.project, metadata='{"a":1}')
    said = {"traces": page.context["chosen"].form_value, "queue": queue.slug, "reason": "look\x00 here"}
    answer = lead_client.post(URL, said, follow=True)
    assert "3 added." in answer.text
    assert {item.trace_id for item in QueueItem.objects.all()} == {trace.trace_id for trace in three}
    assert {item.reason for item in QueueItem.objects.all()} == {"look here"}


def test_what_stands_there_stays_as_it_is(lead_client: Client, queue: Queue, three: list[Trace]) -> None:
    skipped = QueueItemFactory.create(queue=queue, trace_id=three[0].trace_id, state=ItemState.SKIPPED)
    said = {"traces": " ".join(trace.trace_id.hex for trace in three), "queue": queue.slug}
    assert "2 added. 1 stood here already" in lead_client.post(URL, said, follow=True).text
    skipped.refresh_from_db()
    assert skipped.state == ItemState.SKIPPED


def test_it_takes_no_other_projects_traces_nor_queues(
    lead_client: Client, queue: Queue, other_project: Project, three: list[Trace]
) -> None:
    theirs = TraceFactory.create(project=other_project)
    lead_client.post(URL, {"traces": theirs.trace_id.hex, "queue": queue.slug})
    foreign = QueueFactory.create(project=other_project)
    said = {"traces": three[0].trace_id.hex, "queue": foreign.slug}
    assert lead_client.post(URL, said).status_code == 404
    assert not QueueItem.objects.exists()


@pytest.mark.parametrize("query", ["", "trace=x", "m=a", "m=a%3D2&all=1"])
def test_it_says_when_nothing_was_chosen(lead_client: Client, queue: Queue, three: list[Trace], query: str) -> None:
    answer = lead_client.get(f"{URL}?{query}", follow=True)
    assert answer.redirect_chain[0][0] == "/p/support/traces/"
    assert 'class="message' in answer.text


def test_what_a_person_removed_stays_out_and_is_told(lead_client: Client, queue: Queue, three: list[Trace]) -> None:
    Removal.objects.create(queue=queue, trace_id=three[0].trace_id, by="lead")
    said = {"traces": " ".join(trace.trace_id.hex for trace in three), "queue": queue.slug}
    assert "2 added. 1 were removed from this queue before" in lead_client.post(URL, said, follow=True).text


def test_a_queue_whose_name_holds_a_nul_is_not_there(lead_client: Client, queue: Queue, three: list[Trace]) -> None:
    said = {"traces": three[0].trace_id.hex, "queue": f"{queue.slug}\x00"}
    assert lead_client.post(URL, said).status_code == 404
