"""Add selected traces to a queue: preview, duplicates, removed traces, and other projects."""

import pytest
from django.http import QueryDict
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import ItemState, Queue, QueueItem, Removal
from reviewapp.queues.models.upload import Upload
from reviewapp.queues.uploads.runner import process_uploads
from reviewapp.traces.filters.filter_view import read_view
from reviewapp.traces.filters.paging import get_batch
from reviewapp.traces.models import Trace
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory

URL = "/p/support/traces/to-queue/"


@pytest.fixture
def traces(project: Project) -> list[Trace]:
    return [TraceFactory.create(project=project, metadata='{"a":1}') for _ in range(3)]


def test_it_shows_the_selected_rows(lead_client: Client, queue: Queue, traces: list[Trace]) -> None:
    page = lead_client.get(URL, {"m": "a=1", "trace": [str(traces[0].trace_id), "x", str(traces[2].trace_id)]})
    assert page.context["chosen"].trace_ids == [traces[2].trace_id, traces[0].trace_id]
    assert 'value="a=1"' in page.text
    assert not QueueItem.objects.exists()


def test_it_adds_exactly_the_previewed_traces(lead_client: Client, queue: Queue, traces: list[Trace]) -> None:
    page = lead_client.get(URL, {"m": "a=1", "all": "1"})
    TraceFactory.create(project=queue.project, metadata='{"a":1}')
    data = {"traces": page.context["chosen"].form_value, "queue": queue.slug, "reason": "look  here"}
    response = lead_client.post(URL, data, follow=True)
    assert "3 traces added." in response.text
    assert {item.trace_id for item in QueueItem.objects.all()} == {trace.trace_id for trace in traces}
    assert {item.reason for item in QueueItem.objects.all()} == {"look here"}


def test_it_does_not_change_items_already_in_the_queue(lead_client: Client, queue: Queue, traces: list[Trace]) -> None:
    skipped = QueueItemFactory.create(queue=queue, trace_id=traces[0].trace_id, state=ItemState.SKIPPED)
    data = {"traces": " ".join(trace.trace_id.hex for trace in traces), "queue": queue.slug}
    assert "2 traces added. 1 was already in the queue" in lead_client.post(URL, data, follow=True).text
    skipped.refresh_from_db()
    assert skipped.state == ItemState.SKIPPED


def test_it_refuses_traces_and_queues_of_other_projects(
    lead_client: Client, queue: Queue, other_project: Project, traces: list[Trace]
) -> None:
    foreign_trace = TraceFactory.create(project=other_project)
    lead_client.post(URL, {"traces": foreign_trace.trace_id.hex, "queue": queue.slug})
    foreign_queue = QueueFactory.create(project=other_project)
    data = {"traces": traces[0].trace_id.hex, "queue": foreign_queue.slug}
    assert lead_client.post(URL, data).status_code == 404
    assert not QueueItem.objects.exists()


@pytest.mark.parametrize("query", ["", "trace=x", "m=a", "m=a%3D2&all=1"])
def test_it_refuses_an_empty_selection(lead_client: Client, queue: Queue, traces: list[Trace], query: str) -> None:
    response = lead_client.get(f"{URL}?{query}", follow=True)
    assert response.redirect_chain[0][0] == "/p/support/traces/"
    assert 'class="message' in response.text


def test_it_reports_and_excludes_removed_traces(lead_client: Client, queue: Queue, traces: list[Trace]) -> None:
    Removal.objects.create(queue=queue, trace_id=traces[0].trace_id, by="lead")
    data = {"traces": " ".join(trace.trace_id.hex for trace in traces), "queue": queue.slug}
    assert "2 traces added. 1 was removed from this queue before" in lead_client.post(URL, data, follow=True).text


def test_it_counts_a_whole_view_and_adds_it(lead_client: Client, queue: Queue, traces: list[Trace]) -> None:
    finished = QueueItemFactory.create(queue=queue, trace_id=traces[0].trace_id, state=ItemState.COMPLETED, version=1)
    Removal.objects.create(queue=queue, trace_id=traces[1].trace_id, by="lead")
    form = {"queue": queue.slug, "reason": "all of it", "whole": "1", "view": "m=a%3D1"}
    page = lead_client.post(URL, form, follow=True)
    process_uploads()
    upload = Upload.objects.get()
    assert (upload.state, upload.added, upload.completed, upload.removed) == ("checked", 1, 1, 1)
    assert QueueItem.objects.count() == 1
    lead_client.post(f"{page.redirect_chain[-1][0]}start/", {"requeues": "1"})
    process_uploads()
    finished.refresh_from_db()
    assert (finished.state, finished.version) == (ItemState.PENDING, 1)
    assert QueueItem.objects.get(trace_id=traces[2].trace_id).reason == "all of it"
    assert not QueueItem.objects.filter(trace_id=traces[1].trace_id).exists()


def test_it_walks_a_view_batch_by_batch(lead: User, queue: Queue, traces: list[Trace]) -> None:
    view = read_view(QueryDict("m=a%3D1"), lead)
    first, cursor = get_batch(view, queue.project, "", 2)
    second, end = get_batch(view, queue.project, cursor, 2)
    assert ([*first, *second], end) == ([trace.trace_id for trace in reversed(traces)], "")


def test_it_refuses_a_whole_view_that_cannot_be_read(lead_client: Client, queue: Queue, traces: list[Trace]) -> None:
    response = lead_client.post(URL, {"queue": queue.slug, "whole": "1", "view": "m=a"}, follow=True)
    assert 'class="message' in response.text
    assert not Upload.objects.exists()


def test_it_refuses_a_queue_with_a_nul_in_its_slug(lead_client: Client, queue: Queue, traces: list[Trace]) -> None:
    data = {"traces": traces[0].trace_id.hex, "queue": f"{queue.slug}\x00"}
    assert lead_client.post(URL, data).status_code == 404


@pytest.mark.parametrize("reason", ["r" * 301, "a\0b"])
def test_it_refuses_a_reason_and_keeps_it(lead_client: Client, queue: Queue, traces: list[Trace], reason: str) -> None:
    page = lead_client.get(URL, {"m": "a=1", "all": "1"})
    data = {"traces": page.context["chosen"].form_value, "queue": queue.slug, "reason": reason}
    response = lead_client.post(URL, data)
    assert response.status_code == 422
    assert (response.context["reason"], response.context["chosen"].form_value) == (reason, data["traces"])
    assert not QueueItem.objects.exists()


def test_it_names_chosen_ids_that_are_no_traces_of_the_project(
    lead_client: Client, queue: Queue, other_project: Project, traces: list[Trace]
) -> None:
    foreign = TraceFactory.create(project=other_project).trace_id
    chosen = [str(traces[0].trace_id), str(foreign), "x"]
    sentence = f"Left out, because not in the traces of this project: “{foreign}”, “x”."

    assert sentence in lead_client.get(URL, {"trace": chosen}).text
    page = lead_client.post(URL, {"traces": " ".join(chosen), "queue": queue.slug}, follow=True).text
    assert "1 trace added." in page
    assert sentence in page
