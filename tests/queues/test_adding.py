"""Add traces to a queue: all or nothing, and each trace once."""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils.html import escape

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.queues.adding import Entry, add
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.traces.models import Trace
from tests.factories import ProjectFactory, QueueFactory, QueueItemFactory
from tests.threads import run_concurrently

URL = "/p/support/queues/answers/add/"


@pytest.fixture
def paste(lead_client: Client, queue: Queue) -> Any:
    """Paste as the lead and follow the redirect."""
    return lambda ids, **fields: lead_client.post(URL, {"ids": ids, **fields}, follow=True)


def test_it_adds_pasted_traces(paste: Any, queue: Queue) -> None:
    first, second = uuid4(), uuid4()
    response = paste(f"{first}\n{second}, order 17", reason="a complaint")
    items = list(queue.items.order_by("pk"))

    assert "2 traces added." in response.content.decode()
    assert [(item.trace_id, item.reference) for item in items] == [(first, ""), (second, "order 17")]
    assert {(item.reason, item.added_by, item.state) for item in items} == {("a complaint", "lead", "pending")}


def test_it_requests_a_pull(paste: Any, queue: Queue) -> None:
    trace_id = uuid4()
    paste(str(trace_id))
    trace = Trace.objects.get(project=queue.project)

    assert trace.trace_id == trace_id
    assert trace.pull_due_at is not None


def test_it_adds_nothing_when_no_line_is_valid(paste: Any, queue: Queue) -> None:
    response = paste("not <an> id\nx")

    assert response.status_code == 422
    assert "Nothing was added." in response.text
    assert escape("Line 1: “not” is not a trace id") in response.text
    assert not queue.items.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("line", ["not <an> id", f"{'0' * 31}1, a\x00b", f"{'0' * 31}1, {'r' * 201}"])
def test_it_adds_the_other_lines_and_keeps_an_invalid_one(paste: Any, queue: Queue, line: str) -> None:
    first, last = uuid4(), uuid4()
    response = paste(f"{first}\n{line}\n{last}, order 17", reason="a complaint")

    assert response.status_code == 422
    assert "2 traces added. These lines were not added" in response.text
    assert "<li>Line 2: " in response.text
    assert f">{escape(line)}</textarea>" in response.text
    assert 'value="a complaint"' in response.text
    assert set(queue.items.values_list("trace_id", flat=True)) == {first, last}


def test_it_sets_a_priority_and_a_due_date(paste: Any, queue: Queue) -> None:
    paste(str(uuid4()), priority="-5", due_at="2026-12-31")
    item = queue.items.get()

    assert (item.priority, item.due_at) == (-5, datetime(2026, 12, 31, 23, 59, tzinfo=UTC))


@pytest.mark.parametrize("fields", [{"priority": "high"}, {"priority": "1000001"}, {"due_at": "tomorrow"}])
def test_it_refuses_a_priority_or_due_date_and_keeps_it(paste: Any, queue: Queue, fields: dict[str, str]) -> None:
    response = paste(str(uuid4()), **fields)

    assert (response.status_code, queue.items.count()) == (422, 0)
    assert f'value="{next(iter(fields.values()))}"' in response.text
    assert 'class="fault" role="alert"' in response.text


def test_it_keeps_typed_values(paste: Any) -> None:
    response = paste("<b>wrong</b>", reason="a <reason>")

    assert "&lt;b&gt;wrong&lt;/b&gt;</textarea>" in response.text
    assert 'value="a &lt;reason&gt;"' in response.text


def test_it_reports_duplicates(paste: Any, item: QueueItem) -> None:
    response = paste(f"{item.trace_id}, new reference\n{uuid4()}")
    item.refresh_from_db()

    assert "1 trace added. 1 was already in the queue and did not change." in response.text
    assert item.reference == ""


def test_it_reports_that_nothing_is_new(paste: Any, item: QueueItem) -> None:
    assert "No new traces. 1 was already in the queue" in paste(str(item.trace_id)).text


def test_it_adds_a_trace_in_two_spellings_once(paste: Any, queue: Queue) -> None:
    trace_id = uuid4()
    paste(f"{trace_id}, first\n{trace_id.hex.upper()}, second")

    assert queue.items.get().reference == "first"


@pytest.mark.parametrize("ids", ["", "  ", "\n\r\n\t"])
def test_it_refuses_an_empty_paste(paste: Any, ids: str) -> None:
    response = paste(ids)

    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()


def test_it_refuses_a_long_reason(paste: Any, queue: Queue) -> None:
    response = paste(str(uuid4()), reason="r" * 301)

    assert response.status_code == 422
    assert "at most 300 characters" in response.content.decode()
    assert not queue.items.exists()


@pytest.mark.parametrize("ids", ["\x00", f"{'0' * 31}1 a\x00b", "x" * 400_001])
def test_it_refuses_values_that_no_form_sends(paste: Any, queue: Queue, ids: str) -> None:
    assert paste(ids).status_code == 422
    assert not queue.items.exists()


def test_it_shows_twenty_errors_and_counts_the_rest(paste: Any) -> None:
    response = paste("x\n" * 50)

    assert response.text.count("<li>Line ") == 20
    assert "30 more lines" in response.text


def test_it_links_to_the_board_from_a_refused_paste(paste: Any) -> None:
    """The URL of the response accepts only POST, so its links must not be relative to it."""
    assert 'href="?' not in paste("wrong").content.decode()


def test_it_adds_to_this_queue_only(paste: Any, queue: Queue) -> None:
    other = QueueFactory.create(project=queue.project)
    trace_id = QueueItemFactory.create(queue=other).trace_id
    paste(str(trace_id))

    assert queue.items.get().trace_id == other.items.get().trace_id


def test_it_does_not_change_a_completed_item(queue: Queue, lead: User) -> None:
    item = QueueItemFactory.create(queue=queue, state=ItemState.COMPLETED, version=1)
    result = add(queue, [Entry(item.trace_id, reason="again")], lead)
    item.refresh_from_db()

    assert (result.added, result.duplicates, result.items) == (0, 1, [(item.pk, item.state)])
    assert (item.state, item.reason) == ("completed", "")


def test_it_records_the_number_added(queue: Queue, lead: User) -> None:
    add(queue, [Entry(uuid4()) for _ in range(3)], lead)
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.target, event.detail) == (
        "lead", "added items", "queue:answers", '{"count":3}',
    )  # fmt: skip


def test_it_records_nothing_when_nothing_is_new(queue: Queue, item: QueueItem, lead: User) -> None:
    add(queue, [Entry(item.trace_id)], lead)

    assert not AuditEvent.objects.exists()


def test_it_adds_a_thousand_in_few_queries(queue: Queue, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(20):
        add(queue, [Entry(uuid4()) for _ in range(1_000)], "command")

    assert queue.items.count() == 1_000


def make_trace_ids(count: int) -> list[UUID]:
    return [UUID(int=number + 1) for number in range(count)]


@pytest.mark.django_db(transaction=True)
def test_it_counts_correctly_when_two_add_the_same() -> None:
    queue = QueueFactory.create(project=ProjectFactory.create())
    entries = [Entry(trace_id) for trace_id in make_trace_ids(60)]

    results = run_concurrently(
        [partial(add, queue, entries, "command"), partial(add, queue, entries[::-1], "command")] * 2
    )

    assert queue.items.count() == 60
    assert sum(result.added for result in results) == 60
    assert sum(result.duplicates for result in results) == 180


@pytest.mark.django_db(transaction=True)
def test_it_does_not_deadlock_when_two_queues_get_the_same() -> None:
    """The orders are opposite, so locking rows in the given order would deadlock."""
    first, second = QueueFactory.create_batch(2, project=ProjectFactory.create())
    entries = [Entry(trace_id) for trace_id in make_trace_ids(400)]

    run_concurrently([partial(add, first, entries, "command"), partial(add, second, entries[::-1], "command")])

    assert (first.items.count(), second.items.count()) == (400, 400)
    assert Trace.objects.count() == 400
