"""How far the review of each trace of a list has come: one fragment of few queries for all its rows."""

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


def told(client: Client, *trace_ids: UUID) -> list[str]:
    """What each trace's cell says."""
    part = client.get(URL, {"trace": [str(one) for one in trace_ids]}, headers={"HX-Request": "true"}).text
    return [" ".join(cell.partition("</td>")[0].split()) for cell in part.split("<td ")[1:]]


def test_it_says_how_far_each_has_come(reviewer_client: Client, item: QueueItem, colleague: User) -> None:
    claimed = QueueItemFactory.create(
        queue=item.queue, claimed_by=colleague, claimed_until=clock.now() + timedelta(minutes=1)
    )
    skipped = QueueItemFactory.create(queue=item.queue, state=ItemState.SKIPPED)
    review = ReviewFactory.create(item__queue=item.queue, patch__state=State.CONFIRMED)
    wanted = [review.item.trace_id, skipped.trace_id, claimed.trace_id, item.trace_id, uuid4()]
    reviewed, left_out, with_colleague, pending, nowhere = told(reviewer_client, *wanted)
    assert "score <b>1</b></a> confirmed" in reviewed
    assert ">skipped</a>" in left_out
    assert ">with colleague</a>" in with_colleague
    assert ">pending</a>" in pending
    assert "in Answers" in pending
    assert "not queued" in nowhere
    assert f'id="review-{item.trace_id}" hx-swap-oob="true"' in pending


def test_it_tells_each_queue_of_a_trace(reviewer_client: Client, item: QueueItem, project: Project) -> None:
    QueueItemFactory.create(queue=QueueFactory.create(project=project, name="Second look"), trace_id=item.trace_id)
    (cell,) = told(reviewer_client, item.trace_id)
    assert cell.index("in Second look") < cell.index("in Answers")


def test_it_is_a_page_of_its_own_too(reviewer_client: Client, item: QueueItem) -> None:
    page = reviewer_client.get(URL, {"trace": str(item.trace_id)})
    assert "<!doctype html>" in page.text
    assert ">pending</a>" in page.text
    assert reviewer_client.get(URL, {"trace": "x"}).status_code == 200


def test_it_tells_nothing_of_another_project(outsider_client: Client, item: QueueItem) -> None:
    assert outsider_client.get(URL).status_code == 404
    page = outsider_client.get("/p/elsewhere/traces/states/", {"trace": str(item.trace_id)}).text
    assert "not queued" in page
    assert "pending" not in page


def test_its_queries_do_not_grow_with_rows(reviewer_client: Client, queue: Queue) -> None:
    few = [ReviewFactory.create(item__queue=queue).item.trace_id]
    many = few + [ReviewFactory.create(item__queue=queue).item.trace_id for _ in range(9)]
    assert count_queries(lambda: told(reviewer_client, *few)) == count_queries(lambda: told(reviewer_client, *many))


def test_the_list_names_it_for_its_rows(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project)
    page = reviewer_client.get("/p/support/traces/").text
    assert f'hx-get="{URL}?trace={trace.trace_id}"' in page
    assert f'id="review-{trace.trace_id}"' in page
    assert 'type="checkbox" form="chosen"' not in page
