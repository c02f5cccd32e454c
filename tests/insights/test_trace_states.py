"""The review status of the traces of a list: one fragment with few queries for all rows."""

from datetime import timedelta
from uuid import UUID, uuid4

from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue, QueueItem
from tests.factories import QueueFactory, QueueItemFactory, ReviewFactory, TraceFactory
from tests.queries import count_queries

URL = "/p/support/traces/states/"


def get_cells(client: Client, *trace_ids: UUID) -> list[str]:
    """The cell of each trace, its white space collapsed."""
    fragment = client.get(
        URL, {"trace": [str(trace_id) for trace_id in trace_ids]}, headers={"HX-Request": "true"}
    ).text
    return [" ".join(cell.partition("</td>")[0].split()) for cell in fragment.split("<td ")[1:]]


def test_it_shows_the_status_of_each_trace(reviewer_client: Client, item: QueueItem, colleague: User) -> None:
    claimed = QueueItemFactory.create(
        queue=item.queue, claimed_by=colleague, claimed_until=clock.now() + timedelta(minutes=1)
    )
    skipped = QueueItemFactory.create(queue=item.queue, state=ItemState.SKIPPED)
    review = ReviewFactory.create(item__queue=item.queue, patch__state=State.CONFIRMED)
    ids = [review.item.trace_id, skipped.trace_id, claimed.trace_id, item.trace_id, uuid4()]
    reviewed, skipped_cell, with_colleague, pending, not_queued = get_cells(reviewer_client, *ids)
    assert "score <b>1</b></a> confirmed" in reviewed
    assert ">skipped</a>" in skipped_cell
    assert ">with colleague</a>" in with_colleague
    assert ">pending</a>" in pending
    assert "in Answers" in pending
    assert "not queued" in not_queued
    assert f'id="review-{item.trace_id}" hx-swap-oob="true"' in pending


def test_it_shows_each_queue_of_a_trace(reviewer_client: Client, item: QueueItem, project: Project) -> None:
    QueueItemFactory.create(queue=QueueFactory.create(project=project, name="Second look"), trace_id=item.trace_id)
    (cell,) = get_cells(reviewer_client, item.trace_id)
    assert cell.index("in Second look") < cell.index("in Answers")


def test_it_is_a_page_without_htmx(reviewer_client: Client, item: QueueItem) -> None:
    page = reviewer_client.get(URL, {"trace": str(item.trace_id)})
    assert "<!doctype html>" in page.text
    assert ">pending</a>" in page.text
    assert reviewer_client.get(URL, {"trace": "x"}).status_code == 200


def test_it_shows_nothing_of_another_project(outsider_client: Client, item: QueueItem) -> None:
    assert outsider_client.get(URL).status_code == 404
    page = outsider_client.get("/p/elsewhere/traces/states/", {"trace": str(item.trace_id)}).text
    assert "not queued" in page
    assert "pending" not in page


def test_it_needs_no_more_queries_for_more_rows(reviewer_client: Client, queue: Queue) -> None:
    one_id = [ReviewFactory.create(item__queue=queue).item.trace_id]
    ten_ids = one_id + [ReviewFactory.create(item__queue=queue).item.trace_id for _ in range(9)]
    assert count_queries(lambda: get_cells(reviewer_client, *one_id)) == count_queries(
        lambda: get_cells(reviewer_client, *ten_ids)
    )


def test_it_is_requested_by_the_trace_list(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project)
    page = reviewer_client.get("/p/support/traces/").text
    assert f'hx-get="{URL}?trace={trace.trace_id}"' in page
    assert f'id="review-{trace.trace_id}"' in page
    assert 'type="checkbox" form="chosen"' not in page
