"""`POST /api/v1/queues/<slug>/items`: accepted bodies and exact responses."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.queues.idempotent_adding import RETENTION, forget_old_calls
from reviewapp.queues.models import IdempotentAdd, ItemState, Queue, Removal
from reviewapp.traces.models import Trace
from tests.api.http_calls import ITEMS_URL, post
from tests.factories import QueueFactory, QueueItemFactory
from tests.threads import run_concurrently


def items(*trace_ids: object) -> dict[str, list[dict[str, str]]]:
    """A body with these trace ids."""
    return {"items": [{"trace_id": str(trace_id)} for trace_id in trace_ids]}


def test_it_adds_items(send: Any, queue: Queue) -> None:
    first, second = uuid4(), uuid4()
    response = send(items(first, second))
    rows = list(queue.items.order_by("pk"))

    assert response.status_code == 200
    assert response["Content-Type"].startswith("application/json")
    assert response.json() == {
        "added": 2,
        "duplicates": 0,
        "removed": 0,
        "items": [
            {"id": rows[0].pk, "trace_id": str(first), "state": "pending"},
            {"id": rows[1].pk, "trace_id": str(second), "state": "pending"},
        ],
    }


def test_it_leaves_out_removed_traces(send: Any, queue: Queue) -> None:
    removed, other = uuid4(), uuid4()
    Removal.objects.create(queue=queue, trace_id=removed, by="lead")
    content = send(items(removed, other)).json()

    assert (content["added"], content["duplicates"], content["removed"]) == (1, 0, 1)
    assert content["items"][0] == {"id": None, "trace_id": str(removed), "state": "removed"}
    assert queue.items.get().trace_id == other


def test_it_brings_back_removed_traces_when_asked(send: Any, queue: Queue) -> None:
    removed = uuid4()
    Removal.objects.create(queue=queue, trace_id=removed, by="lead")
    content = send({**items(removed), "bring_back": True}).json()

    assert (content["added"], content["removed"], queue.items.get().trace_id) == (1, 0, removed)


def test_it_refuses_bring_back_when_not_a_boolean(send: Any, queue: Queue) -> None:
    response = send({**items(uuid4()), "bring_back": "yes"})

    assert response.status_code == 400
    assert "bring_back" in response.json()["error"]
    assert not queue.items.exists()


def test_it_stores_reason_reference_and_priority(send: Any, queue: Queue) -> None:
    item_data = {"trace_id": str(uuid4()), "reason": "a “complaint” 🙁", "reference": "order 17", "priority": -5}
    send({"items": [item_data]})
    item = queue.items.get()

    assert (item.reason, item.reference, item.priority) == ("a “complaint” 🙁", "order 17", -5)
    assert item.added_by == "token:ci"


@pytest.mark.parametrize("text", ["2026-12-31", " 2026-12-31T23:59Z ", "2027-01-01T00:59+01:00"])
def test_it_stores_a_due_date(send: Any, queue: Queue, text: str) -> None:
    send({"items": [{"trace_id": str(uuid4()), "due_at": text}]})

    assert queue.items.get().due_at == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize("value", ["tomorrow", "2026-02-30", 20261231, "", "0001-01-01T00:00+10:00"])
def test_it_refuses_a_due_date_that_is_none(send: Any, queue: Queue, value: object) -> None:
    response = send({"items": [{"trace_id": str(uuid4()), "due_at": value}]})

    assert (response.status_code, queue.items.count()) == (400, 0)
    assert "The due_at is not a date." in response.json()["error"]


def test_it_refuses_an_idempotency_key_with_another_due_date(send: Any, queue: Queue) -> None:
    item = {"trace_id": str(uuid4()), "due_at": "2026-12-31"}
    other = {**item, "due_at": "2027-12-31"}
    calls = [{"items": [content]} for content in (item, item, other, {"trace_id": item["trace_id"]})]

    assert [send(body, **{"Idempotency-Key": "run 7"}).status_code for body in calls] == [200, 200, 422, 422]


def test_it_reads_null_as_absent(send: Any, queue: Queue) -> None:
    send({"items": [{"trace_id": str(uuid4()), "reason": None, "reference": None, "priority": None}]})
    item = queue.items.get()

    assert (item.reason, item.reference, item.priority) == ("", "", 0)


def test_it_requests_the_trace_and_records_the_token(send: Any, queue: Queue) -> None:
    send(items(uuid4()))
    event = AuditEvent.objects.latest("seq")

    assert Trace.objects.get().pull_due_at is not None
    assert (event.actor, event.actor_name) == (None, "token:ci")
    assert (event.verb, event.target) == ("added items", "queue:answers")


def test_it_accepts_every_spelling_of_a_trace_id(send: Any, queue: Queue) -> None:
    trace_id = uuid4()
    spellings = [trace_id, str(trace_id).upper(), trace_id.hex, f"{{{trace_id}}}", f"urn:uuid:{trace_id}"]
    response = send(items(*spellings))

    assert (response.json()["added"], response.json()["duplicates"]) == (1, 4)
    assert {item["trace_id"] for item in response.json()["items"]} == {str(trace_id)}
    assert queue.items.count() == 1


def test_it_uses_the_first_of_two_items_with_one_trace_id(send: Any, queue: Queue) -> None:
    trace_id = str(uuid4())
    send({"items": [{"trace_id": trace_id, "priority": 1}, {"trace_id": trace_id, "priority": 2}]})

    assert queue.items.get().priority == 1


def test_it_counts_a_repeated_call_as_duplicates(send: Any, queue: Queue) -> None:
    body = items(uuid4(), uuid4())
    first, second = send(body).json(), send(body).json()

    assert (second["added"], second["duplicates"]) == (0, 2)
    assert second["items"] == first["items"]
    assert queue.items.count() == 2


def test_it_returns_the_state_of_an_existing_item(send: Any, queue: Queue) -> None:
    item = QueueItemFactory.create(queue=queue, state=ItemState.COMPLETED)

    assert send(items(item.trace_id)).json()["items"][0]["state"] == "completed"


def test_it_accepts_a_thousand_items_in_order(send: Any, queue: Queue) -> None:
    ids = [UUID(int=number) for number in range(1_000, 0, -1)]
    response = send(items(*ids))

    assert response.json()["added"] == 1_000
    assert [item["trace_id"] for item in response.json()["items"]] == [str(trace_id) for trace_id in ids]


def test_it_reads_json_of_any_content_type(token: str, queue: Queue) -> None:
    body = b'\n {"items" : [ {"trace_id":"7c1e5d2a9b3f4c8da1e60f2b4d6c9f04"} ] }\r\n'

    assert post(body, token, **{"Content-Type": "text/plain"}).json()["added"] == 1


@pytest.mark.parametrize("slug", ["no-such", "ANSWERS", "answers-2", "x" * 300])
def test_it_refuses_an_unknown_queue(send: Any, queue: Queue, slug: str) -> None:
    response = send(items(uuid4()), url=ITEMS_URL.replace("answers", slug))

    assert response.status_code == 404
    assert response.json()["error"].endswith("Nothing was added.")
    assert response.json()["line"] is None


def test_it_refuses_a_foreign_queue_like_an_unknown_one(send: Any, queue: Queue, other_project: Project) -> None:
    foreign_queue = QueueFactory.create(project=other_project, slug="theirs")
    foreign, unknown = (send(items(uuid4()), url=ITEMS_URL.replace("answers", slug)) for slug in ("theirs", "nobody"))

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["error"] == unknown.json()["error"].replace("nobody", "theirs")
    assert not foreign_queue.items.exists()


def test_it_adds_to_its_own_projects_queue_when_slugs_match(send: Any, queue: Queue, other_project: Project) -> None:
    foreign_queue = QueueFactory.create(project=other_project, slug="answers")
    send(items(uuid4()))

    assert (queue.items.count(), foreign_queue.items.count()) == (1, 0)


def test_it_returns_the_first_result_for_a_repeated_idempotency_key(send: Any, queue: Queue) -> None:
    body = {**items(uuid4(), uuid4()), "bring_back": True}
    first = send(body, **{"Idempotency-Key": "run 7"})
    removed = queue.items.earliest("pk")
    removed.delete()
    second = send(body, **{"Idempotency-Key": "run 7"})

    assert (first.status_code, second.status_code, queue.items.count()) == (200, 200, 1)
    assert second.json()["added"] == first.json()["added"] == 2
    assert second.json()["items"] == [
        {"id": None, "trace_id": str(removed.trace_id), "state": "removed"}, first.json()["items"][1],
    ]  # fmt: skip
    assert AuditEvent.objects.filter(verb="added items").count() == 1


def test_it_refuses_an_idempotency_key_of_another_call(send: Any, queue: Queue) -> None:
    send(items(uuid4()), **{"Idempotency-Key": "run 7"})
    response = send(items(uuid4()), **{"Idempotency-Key": "run 7"})

    assert response.status_code == 422
    assert "“run 7” was already used for another call" in response.json()["error"]
    assert queue.items.count() == 1


def test_it_forgets_the_idempotency_key_of_a_call_that_was_refused(send: Any, queue: Queue) -> None:
    refused = send({"items": []}, **{"Idempotency-Key": "run 7"})
    accepted = send(items(uuid4()), **{"Idempotency-Key": "run 7"})

    assert (refused.status_code, accepted.status_code) == (400, 200)


def test_it_forgets_an_idempotency_key_after_seven_days(send: Any, queue: Queue) -> None:
    for key in ("old", "new"):
        send(items(uuid4()), **{"Idempotency-Key": key})
    IdempotentAdd.objects.filter(idempotency_key="old").update(
        created_at=clock.now() - RETENTION - timedelta(seconds=1)
    )
    forget_old_calls()

    assert send(items(uuid4()), **{"Idempotency-Key": "old"}).status_code == 200
    assert send(items(uuid4()), **{"Idempotency-Key": "new"}).status_code == 422


@pytest.mark.parametrize("key", ["", "x" * 201, "a\u200bb"])
def test_it_refuses_an_invalid_idempotency_key(send: Any, queue: Queue, key: str) -> None:
    response = send(items(uuid4()), **{"Idempotency-Key": key})

    assert response.status_code == 400
    assert not queue.items.exists()


@pytest.mark.django_db(transaction=True)
def test_it_adds_once_for_concurrent_calls_with_one_key(token: str, queue: Queue) -> None:
    body = items(uuid4())
    call = partial(post, body, token, **{"Idempotency-Key": "run 7"})
    responses = run_concurrently([call] * 4)

    assert [(response.status_code, response.json()["added"]) for response in responses] == [(200, 1)] * 4
    assert queue.items.count() == 1
