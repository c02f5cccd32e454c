"""Putting traces into a queue: all or nothing, and none of them twice."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils.html import escape

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.queues.entry import Entry, add
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.traces.models import Trace
from tests.factories import ProjectFactory, QueueFactory, QueueItemFactory
from tests.threads import run_concurrently

URL = "/p/support/queues/answers/add/"


@pytest.fixture
def paste(lead_client: Client, queue: Queue) -> Any:
    """Paste as the lead, and follow to the page that comes."""
    return lambda ids, **fields: lead_client.post(URL, {"ids": ids, **fields}, follow=True)


def test_it_adds_what_is_pasted(paste: Any, queue: Queue) -> None:
    first, second = uuid4(), uuid4()
    response = paste(f"{first}\n{second}, order 17", reason="a complaint")
    items = list(queue.items.order_by("pk"))

    assert "2 added." in response.content.decode()
    assert [(item.trace_id, item.reference) for item in items] == [(first, ""), (second, "order 17")]
    assert {(item.reason, item.added_by, item.state) for item in items} == {("a complaint", "lead", "pending")}


def test_it_asks_for_the_traces(paste: Any, queue: Queue) -> None:
    trace_id = uuid4()
    paste(str(trace_id))
    trace = Trace.objects.get(project=queue.project)

    assert trace.trace_id == trace_id
    assert trace.pull_due_at is not None


def test_it_adds_nothing_when_a_line_is_wrong(paste: Any, queue: Queue) -> None:
    response = paste(f"{uuid4()}\nnot <an> id\n{uuid4()}")
    shown = response.content.decode()

    assert response.status_code == 422
    assert "Nothing was added." in shown
    assert escape("Line 2: “not” is not a trace id") in shown
    assert not queue.items.exists()
    assert not AuditEvent.objects.exists()


def test_it_keeps_what_was_typed(paste: Any) -> None:
    shown = paste("<b>wrong</b>", reason="a <reason>").content.decode()

    assert "&lt;b&gt;wrong&lt;/b&gt;</textarea>" in shown
    assert 'value="a &lt;reason&gt;"' in shown


def test_it_tells_of_what_stood_here(paste: Any, item: QueueItem) -> None:
    response = paste(f"{item.trace_id}, new reference\n{uuid4()}")
    item.refresh_from_db()

    assert "1 added. 1 stood here already and stay as they are." in response.content.decode()
    assert item.reference == ""


def test_it_tells_that_nothing_is_new(paste: Any, item: QueueItem) -> None:
    assert "Nothing new. 1 stood here already" in paste(str(item.trace_id)).content.decode()


def test_it_takes_one_trace_in_two_spellings_once(paste: Any, queue: Queue) -> None:
    trace_id = uuid4()
    paste(f"{trace_id}, first\n{trace_id.hex.upper()}, second")

    assert queue.items.get().reference == "first"


@pytest.mark.parametrize("ids", ["", "  ", "\n\r\n\t"])
def test_it_refuses_a_paste_of_nothing(paste: Any, ids: str) -> None:
    response = paste(ids)

    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()


def test_it_refuses_too_long_a_reason_with_a_sentence(paste: Any, queue: Queue) -> None:
    response = paste(str(uuid4()), reason="r" * 301)

    assert response.status_code == 422
    assert "at most 300 characters" in response.content.decode()
    assert not queue.items.exists()


@pytest.mark.parametrize("ids", ["\x00", f"{'0' * 31}1 a\x00b", "x" * 400_001])
def test_it_refuses_what_no_form_sends(paste: Any, queue: Queue, ids: str) -> None:
    assert paste(ids).status_code == 422
    assert not queue.items.exists()


def test_it_shows_twenty_faults_and_counts_the_rest(paste: Any) -> None:
    shown = paste("x\n" * 50).content.decode()

    assert shown.count("<li>Line ") == 20
    assert "30 more lines" in shown


def test_it_leads_on_from_a_refused_paste(paste: Any) -> None:
    """The page stands at an address that only takes forms: its links must not stay there."""
    assert 'href="?' not in paste("wrong").content.decode()


def test_it_adds_to_this_queue_only(paste: Any, queue: Queue) -> None:
    other = QueueFactory.create(project=queue.project)
    trace_id = QueueItemFactory.create(queue=other).trace_id
    paste(str(trace_id))

    assert queue.items.get().trace_id == other.items.get().trace_id


def test_it_leaves_a_completed_item_as_it_is(queue: Queue, lead: User) -> None:
    item = QueueItemFactory.create(queue=queue, state=ItemState.COMPLETED, version=1)
    done = add(queue, [Entry(item.trace_id, reason="again")], lead)
    item.refresh_from_db()

    assert (done.added, done.duplicates, done.items) == (0, 1, [item])
    assert (item.state, item.reason) == ("completed", "")


def test_it_records_how_many_came(queue: Queue, lead: User) -> None:
    add(queue, [Entry(uuid4()) for _ in range(3)], lead)
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.target, event.detail) == (
        "lead", "added items", "queue:answers", '{"count":3}',
    )  # fmt: skip


def test_it_records_nothing_where_nothing_came(queue: Queue, item: QueueItem, lead: User) -> None:
    add(queue, [Entry(item.trace_id)], lead)

    assert not AuditEvent.objects.exists()


def test_it_adds_a_thousand_in_few_queries(queue: Queue, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(60):
        add(queue, [Entry(uuid4()) for _ in range(1_000)], "command")

    assert queue.items.count() == 1_000


def ids(count: int) -> list[UUID]:
    return [UUID(int=number + 1) for number in range(count)]


@pytest.mark.django_db(transaction=True)
def test_it_counts_right_when_two_add_the_same() -> None:
    queue = QueueFactory.create(project=ProjectFactory.create())
    entries = [Entry(trace_id) for trace_id in ids(60)]

    done = run_concurrently(
        [partial(add, queue, entries, "command"), partial(add, queue, entries[::-1], "command")] * 2
    )

    assert queue.items.count() == 60
    assert sum(each.added for each in done) == 60
    assert sum(each.duplicates for each in done) == 180


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_nobody_when_two_queues_get_the_same() -> None:
    """In opposite orders, which would be a deadlock if rows were taken as they come."""
    one, other = QueueFactory.create_batch(2, project=ProjectFactory.create())
    entries = [Entry(trace_id) for trace_id in ids(400)]

    run_concurrently([partial(add, one, entries, "command"), partial(add, other, entries[::-1], "command")])

    assert (one.items.count(), other.items.count()) == (400, 400)
    assert Trace.objects.count() == 400
