"""`/api/v1/queues`: list, create, change and archive queues; their items and reviews page by page."""

import json
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.queues import claiming
from reviewapp.queues.models import Queue, QueueItem, Removal
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import undo
from tests.factories import QueueFactory, QueueItemFactory
from tests.queries import count_queries

URL = "/api/v1/queues"
GOOD = Answers(Decimal("0.8"), "Right.", needs_review=True)


@pytest.fixture
def call(token: str) -> Any:
    """Send a request with the token."""

    def send(method: str, path: str = "", body: Any = None, **query: str) -> Any:
        url = f"{URL}{path}" + (f"?{urlencode(query)}" if query else "")
        content = json.dumps(body) if body is not None else ""
        headers = {"Authorization": f"Bearer {token}"}
        return Client().generic(method, url, content, content_type="application/json", headers=headers)

    return send


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def test_it_lists_the_queues_of_the_project(call: Any, queue: Queue, other_project: Project) -> None:
    QueueFactory.create(project=other_project, slug="theirs")
    QueueItemFactory.create_batch(2, queue=queue)
    (row,) = call("GET").json()["queues"]
    assert (row["slug"], row["name"]) == (queue.slug, queue.name)
    assert row["counts"] == {"pending": 2, "completed": 0, "skipped": 0}


def test_it_creates_a_queue(call: Any, project: Project) -> None:
    body = {"slug": "tone", "name": "Tone", "preset": "1-5", "reviewers_per_item": 2}
    response = call("POST", body=body)
    assert response.status_code == 201
    assert response.json()["score"] == {"min": 1, "max": 5, "step": 1}
    queue = Queue.objects.get(project=project)
    assert (queue.slug, queue.reviewers_per_item) == ("tone", 2)
    assert AuditEvent.objects.get(verb="created queue").actor_name == "token:ci"


@pytest.mark.parametrize(
    "fields",
    [{"slug": "answers"}, {"slug": "New"}, {"slug": "new"}, {"slug": "a b"}, {"name": "a\u202eb"}, {"name": ""}],
)
def test_it_refuses_a_queue_that_cannot_be(call: Any, queue: Queue, fields: dict[str, str]) -> None:
    response = call("POST", body={"slug": "tone", "name": "Tone"} | fields)
    assert response.status_code == 400
    assert response.json()["error"].endswith("No queue was created.")
    assert Queue.objects.count() == 1


def test_it_reads_a_queue_with_its_rubric(call: Any, queue: Queue) -> None:
    details = call("GET", f"/{queue.slug}").json()
    assert details["score"] == {"min": 0, "max": 1, "step": 0.01}
    assert details["pushed_keys"][0] == "score"


def test_it_changes_a_queue(call: Any, queue: Queue) -> None:
    response = call("PATCH", f"/{queue.slug}", {"name": "Answers of May", "reviewers_per_item": 3})
    assert (response.status_code, response.json()["name"]) == (200, "Answers of May")
    queue.refresh_from_db()
    assert (queue.name, queue.reviewers_per_item) == ("Answers of May", 3)


def test_it_archives_a_queue_and_takes_it_back(call: Any, queue: Queue) -> None:
    call("PATCH", f"/{queue.slug}", {"is_archived": True})
    assert call("GET").json()["queues"] == []
    assert len(call("GET", archived="yes").json()["queues"]) == 1
    call("PATCH", f"/{queue.slug}", {"is_archived": False})
    assert len(call("GET").json()["queues"]) == 1


def test_it_adds_nothing_to_an_archived_queue(call: Any, queue: Queue) -> None:
    call("PATCH", f"/{queue.slug}", {"is_archived": True})
    response = call("POST", f"/{queue.slug}/items", {"items": [{"trace_id": str(uuid4())}]})
    assert response.status_code == 409
    assert "archived" in response.json()["error"]
    assert not QueueItem.objects.exists()


def test_it_lists_items_page_by_page(call: Any, queue: Queue) -> None:
    items = QueueItemFactory.create_batch(5, queue=queue)
    page = call("GET", f"/{queue.slug}/items", limit="3").json()
    assert [row["id"] for row in page["items"]] == [item.pk for item in items[:3]]
    QueueItemFactory.create(queue=queue)
    page = call("GET", f"/{queue.slug}/items", limit="3", cursor=page["next_cursor"]).json()
    assert [row["id"] for row in page["items"]][:2] == [item.pk for item in items[3:]]
    assert page["next_cursor"] is None


def test_it_lists_items_in_a_state(call: Any, queue: Queue, reviewer: User) -> None:
    item, _ = QueueItemFactory.create_batch(2, queue=queue)
    submit(load(item), reviewer, GOOD, version=0)
    assert [row["id"] for row in call("GET", f"/{queue.slug}/items", state="completed").json()["items"]] == [item.pk]


def test_it_lists_what_changed_since(call: Any, queue: Queue, reviewer: User) -> None:
    items = QueueItemFactory.create_batch(3, queue=queue, changed_at=clock.now() - timedelta(days=1))
    since = call("GET", f"/{queue.slug}/items").json()["next_updated_since"]
    submit(load(items[2]), reviewer, GOOD, version=0)
    claiming.reopen(load(items[1]))
    submit(load(items[0]), reviewer, GOOD, version=0)
    page = call("GET", f"/{queue.slug}/items", updated_since=since, limit="1").json()
    assert [row["id"] for row in page["items"]] == [items[2].pk]
    page = call("GET", f"/{queue.slug}/items", updated_since=since, limit="1", cursor=page["next_cursor"]).json()
    assert ([row["id"] for row in page["items"]], page["next_cursor"]) == ([items[0].pk], None)


def test_it_lists_reviews(call: Any, queue: Queue, item: QueueItem, reviewer: User) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    (row,) = call("GET", f"/{queue.slug}/reviews").json()["reviews"]
    assert (row["item"], row["score"], row["reviewer"], row["notes"]) == (item.pk, 0.8, "reviewer", "Right.")
    assert (row["is_latest"], row["delivery"]) == (True, "waiting")


def test_it_lists_all_revisions_if_asked(call: Any, queue: Queue, item: QueueItem, reviewer: User) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    submit(load(item), reviewer, Answers(Decimal(0), "", needs_review=False), version=1)
    assert len(call("GET", f"/{queue.slug}/reviews").json()["reviews"]) == 1
    assert len(call("GET", f"/{queue.slug}/reviews", revisions="all").json()["reviews"]) == 2


def test_it_lists_what_was_undone_since(call: Any, queue: Queue, item: QueueItem, reviewer: User) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    Review.objects.update(submitted_at=clock.now() - timedelta(hours=1))
    since = clock.iso(clock.now() - timedelta(minutes=1))
    assert call("GET", f"/{queue.slug}/reviews", updated_since=since, revisions="all").json()["reviews"] == []
    undo(load(item), reviewer)
    (row,) = call("GET", f"/{queue.slug}/reviews", updated_since=since, revisions="all").json()["reviews"]
    assert row["undone_at"] is not None


def test_it_keeps_the_spelling_of_answers(call: Any, item: QueueItem, reviewer: User) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    Review.objects.update(answers='{"large":12345678901234567890}')
    assert b"12345678901234567890" in call("GET", f"/{item.queue.slug}/reviews").content


def test_it_removes_an_item(call: Any, queue: Queue, item: QueueItem) -> None:
    response = call("DELETE", f"/{queue.slug}/items/{item.pk}")
    assert (response.status_code, response.json()["state"]) == (200, "removed")
    assert Removal.objects.get().trace_id == item.trace_id


def test_it_keeps_a_reviewed_item(call: Any, item: QueueItem, reviewer: User) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    assert call("DELETE", f"/{item.queue.slug}/items/{item.pk}").status_code == 409
    assert QueueItem.objects.exists()


def test_it_requeues_a_reviewed_item(call: Any, item: QueueItem, reviewer: User) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    response = call("POST", f"/{item.queue.slug}/items/{item.pk}/requeue")
    assert (response.status_code, response.json()["state"]) == (200, "pending")
    item.refresh_from_db()
    assert (item.state, item.version, Review.objects.count()) == ("pending", 1, 1)


def test_it_leaves_a_pending_item_alone_when_requeued(call: Any, item: QueueItem) -> None:
    assert call("POST", f"/{item.queue.slug}/items/{item.pk}/requeue").status_code == 200
    assert not AuditEvent.objects.filter(verb="requeued items").exists()


def test_it_requeues_no_item_of_another_project(call: Any, queue: Queue, other_project: Project) -> None:
    theirs = QueueItemFactory.create(queue__project=other_project, queue__slug="answers", state="completed")
    for pk in (theirs.pk, 2**70):
        assert call("POST", f"/{queue.slug}/items/{pk}/requeue").status_code == 404
    theirs.refresh_from_db()
    assert theirs.state == "completed"


def test_it_requeues_nothing_in_an_archived_queue(call: Any, queue: Queue) -> None:
    item = QueueItemFactory.create(queue=queue, state="completed")
    call("PATCH", f"/{queue.slug}", {"is_archived": True})
    assert call("POST", f"/{queue.slug}/items/{item.pk}/requeue").status_code == 409


def test_it_keeps_an_item_that_somebody_has_open(call: Any, item: QueueItem, reviewer: User) -> None:
    claiming.claim(load(item), reviewer)
    assert call("DELETE", f"/{item.queue.slug}/items/{item.pk}").status_code == 409


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("path", ["/theirs", "/none"])
def test_it_knows_no_queue_of_another_project(call: Any, other_project: Project, method: str, path: str) -> None:
    QueueFactory.create(project=other_project, slug="theirs")
    assert call(method, path, {"name": "x"}).status_code == 404


@pytest.mark.parametrize("number", ["0", "9" * 19, "9" * 40])
def test_it_knows_no_other_item(call: Any, queue: Queue, number: str) -> None:
    assert call("DELETE", f"/{queue.slug}/items/{number}").status_code == 404


@pytest.mark.parametrize("path", ["", "/answers/items", "/answers/reviews"])
@pytest.mark.parametrize("name", ["limit", "cursor", "updated_since", "state", "revisions", "archived"])
@pytest.mark.parametrize(
    "value", ["x", "\x00", "-1", "0", "9" * 400, "\ud83d", "2026-13-45", "W10", "e30", "WzFd", "bnVsbA"]
)
def test_it_answers_any_parameter(call: Any, queue: Queue, path: str, name: str, value: str) -> None:
    response = call("GET", path, **{name: value.encode("utf-8", "surrogatepass")})
    assert response.status_code in (200, 400)
    assert response.status_code == 200 or response.json()["error"]


def test_it_asks_as_few_queries_for_many_reviews(call: Any, queue: Queue, reviewer: User) -> None:
    look = partial(call, "GET", f"/{queue.slug}/reviews")
    for item in QueueItemFactory.create_batch(2, queue=queue):
        submit(load(item), reviewer, GOOD, version=0)
    look()
    before = count_queries(look)
    for item in QueueItemFactory.create_batch(8, queue=queue):
        submit(load(item), reviewer, GOOD, version=0)
    assert count_queries(look) == before
