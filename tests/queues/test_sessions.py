"""A queue of sessions: each session is in it once, and its item moves on to the newest trace."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.queues import claiming
from reviewapp.queues.adding import Entry, add
from reviewapp.queues.idempotent_adding import add_once
from reviewapp.queues.models import ItemState, Queue, QueueItem, Unit
from reviewapp.queues.removing import remove
from reviewapp.queues.sessions import move_to_newest, skip_duplicates
from reviewapp.traces.models import Trace
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory

SETTINGS_URL = "/p/support/queues/answers/settings/"
KEYS = ("score", "notes", "needs_review", "reviewer", "review_rev")
FIELDS = {"name": "Answers"} | {f"{key}_key": key for key in KEYS}


@pytest.fixture
def queue(project: Project) -> Queue:
    return QueueFactory.create(project=project, slug="answers", name="Answers", unit=Unit.SESSIONS)


def create_session(project: Project, count: int, session_id: str = "s1") -> list[Trace]:
    """Traces of one session, oldest first."""
    start = clock.now() - timedelta(hours=1)
    return [
        TraceFactory.create(project=project, session_id=session_id, start_time=start + timedelta(minutes=minute))
        for minute in range(count)
    ]


def entries(*traces: Trace | UUID) -> list[Entry]:
    return [Entry(trace.trace_id if isinstance(trace, Trace) else trace) for trace in traces]


def test_it_adds_a_session_once(queue: Queue) -> None:
    first, second, third = create_session(queue.project, 3)
    other = create_session(queue.project, 1, "s2")[0]
    alone = uuid4()

    result = add(queue, entries(first, second, other, alone), "command")
    again = add(queue, entries(third, other, alone), "command")

    assert (result.added, result.duplicates) == (3, 1)
    assert (again.added, again.duplicates) == (0, 3)
    assert result.items[0] == result.items[1] == again.items[0]
    assert queue.items.count() == 3


def test_it_adds_traces_without_a_session_one_by_one(queue: Queue) -> None:
    traces = TraceFactory.create_batch(2, project=queue.project)

    assert add(queue, entries(*traces), "command").added == 2


def test_it_adds_every_trace_to_a_queue_of_traces(project: Project) -> None:
    queue = QueueFactory.create(project=project)

    assert add(queue, entries(*create_session(project, 2)), "command").added == 2


def test_it_takes_no_trace_of_another_project_for_a_duplicate(queue: Queue, other_project: Project) -> None:
    add(queue, entries(*create_session(queue.project, 1)), "command")
    elsewhere = QueueFactory.create(project=other_project, unit=Unit.SESSIONS)

    assert add(elsewhere, entries(*create_session(other_project, 1)), "command").added == 1


def test_it_says_how_many_were_duplicates(queue: Queue, lead_client: Client) -> None:
    ids = "\n".join(str(trace.trace_id) for trace in create_session(queue.project, 3))
    page = lead_client.post("/p/support/queues/answers/add/", {"ids": ids}, follow=True).text

    assert "1 session added. 2 traces belong to a session that was already in the queue." in page


def test_it_does_not_add_a_removed_session(queue: Queue, lead: User) -> None:
    first, second = create_session(queue.project, 2)
    add(queue, entries(first), lead)
    remove(queue.items.get(), lead)

    assert add(queue, entries(second), "rule:r").removed == 1
    assert add(queue, entries(second), lead, bring_back=True).brought_back == 1
    assert add(queue, entries(first), lead).duplicates == 1


def test_it_returns_the_item_of_a_repeated_call_after_it_moved(queue: Queue, lead: User) -> None:
    first = create_session(queue.project, 1)[0]
    added = add_once(queue, entries(first), "token:ci", "call-1")
    create_session(queue.project, 2)
    move_to_newest(queue.items.get(), lead)

    assert add_once(queue, entries(first), "token:ci", "call-1").items == added.items


def test_it_adds_a_thousand_traces_of_a_session_in_few_queries(
    queue: Queue, django_assert_max_num_queries: object
) -> None:
    rows = [Trace(project=queue.project, trace_id=UUID(int=n + 1), session_id="long") for n in range(1_000)]
    Trace.objects.bulk_create(rows)
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        assert add(queue, entries(*rows), "command").duplicates == 999


def test_it_moves_to_the_newest_trace_and_requests_its_pull(queue: Queue, reviewer: User) -> None:
    traces = create_session(queue.project, 3)
    item = QueueItemFactory.create(queue=queue, trace_id=traces[0].trace_id)
    move_to_newest(item, reviewer)
    item.refresh_from_db()

    assert item.trace_id == traces[2].trace_id
    newest = Trace.objects.get(pk=traces[2].pk)
    assert newest.is_kept
    assert newest.pull_due_at is not None


def test_it_pulls_earlier_traces_that_are_only_listed(queue: Queue, reviewer: User) -> None:
    traces = create_session(queue.project, 3)
    Trace.objects.filter(pk=traces[0].pk).update(spans_pulled_at=clock.now())
    item = QueueItemFactory.create(queue=queue, trace_id=traces[2].trace_id)
    move_to_newest(item, reviewer)
    due, kept = Trace.objects.exclude(pull_due_at=None), Trace.objects.filter(is_kept=True)

    assert set(due) == set(traces[1:])
    assert not kept.exists()


def test_it_leaves_an_unreadable_trace_to_its_own_times(queue: Queue, reviewer: User) -> None:
    traces = create_session(queue.project, 1)
    Trace.objects.update(pull_tries=1)
    move_to_newest(QueueItemFactory.create(queue=queue, trace_id=traces[0].trace_id), reviewer)

    assert not Trace.objects.exclude(pull_due_at=None).exists()


def test_it_stays_after_a_review(queue: Queue, reviewer: User) -> None:
    traces = create_session(queue.project, 2)
    item = QueueItemFactory.create(queue=queue, trace_id=traces[0].trace_id, version=1)
    move_to_newest(item, reviewer)

    assert QueueItem.objects.get().trace_id == traces[0].trace_id


def test_it_stays_while_a_colleague_reads_it(queue: Queue, reviewer: User, colleague: User) -> None:
    traces = create_session(queue.project, 2)
    item = QueueItemFactory.create(queue=queue, trace_id=traces[0].trace_id)
    claiming.claim(item, colleague)
    move_to_newest(item, reviewer)

    assert item.trace_id == QueueItem.objects.get().trace_id == traces[0].trace_id


def test_it_stays_in_a_queue_of_traces(project: Project, reviewer: User, django_assert_num_queries: object) -> None:
    item = QueueItemFactory.create(queue__project=project, trace_id=create_session(project, 2)[0].trace_id)
    with django_assert_num_queries(0):  # type: ignore[operator]
        move_to_newest(item, reviewer)


def test_it_stays_when_another_item_has_the_newest_trace(queue: Queue, reviewer: User) -> None:
    items = [
        QueueItemFactory.create(queue=queue, trace_id=trace.trace_id) for trace in create_session(queue.project, 2)
    ]
    move_to_newest(items[0], reviewer)

    assert len(set(QueueItem.objects.values_list("trace_id", flat=True))) == 2


def test_it_skips_an_item_whose_session_turns_out_to_be_queued(queue: Queue) -> None:
    ids = [uuid4(), uuid4()]
    add(queue, entries(*ids), "command")
    Trace.objects.update(session_id="s1", pulled_at=clock.now(), start_time=clock.now())
    skip_duplicates(queue.project, ids)
    first, second = queue.items.order_by("pk")

    assert (first.state, second.state) == (ItemState.PENDING, ItemState.SKIPPED)
    assert second.skip_reason == "Its session was in the queue already."
    assert AuditEvent.objects.filter(verb="skipped item", target=f"item:{second.pk}").exists()


def test_it_skips_no_item_that_somebody_has_open(queue: Queue, reviewer: User) -> None:
    traces = create_session(queue.project, 2)
    items = [QueueItemFactory.create(queue=queue, trace_id=trace.trace_id) for trace in traces]
    claiming.claim(items[1], reviewer)
    skip_duplicates(queue.project, [trace.trace_id for trace in traces])

    assert not queue.items.filter(state=ItemState.SKIPPED).exists()


def test_it_skips_nothing_in_a_queue_of_traces(project: Project) -> None:
    queue = QueueFactory.create(project=project)
    traces = create_session(project, 2)
    add(queue, entries(*traces), "command")
    skip_duplicates(project, [trace.trace_id for trace in traces])

    assert not queue.items.filter(state=ItemState.SKIPPED).exists()


def test_it_can_be_set_while_the_queue_is_empty(project: Project, lead_client: Client) -> None:
    queue = QueueFactory.create(project=project, slug="answers", name="Answers")
    lead_client.post(SETTINGS_URL, {**FIELDS, "unit": "sessions"})
    queue.refresh_from_db()

    assert queue.is_by_session


def test_it_keeps_the_unit_of_a_queue_that_has_had_traces(queue: Queue, lead: User, lead_client: Client) -> None:
    item = QueueItemFactory.create(queue=queue)
    refused = lead_client.post(SETTINGS_URL, {**FIELDS, "unit": "traces"})
    remove(item, lead)
    refused_again = lead_client.post(SETTINGS_URL, {**FIELDS, "unit": "traces"})
    queue.refresh_from_db()

    assert refused.status_code == refused_again.status_code == 422
    assert "its unit cannot change" in refused.text
    assert queue.is_by_session


def test_it_keeps_the_unit_when_the_form_lacks_it(queue: Queue, lead_client: Client) -> None:
    assert lead_client.post(SETTINGS_URL, {**FIELDS, "name": "Tone"}).status_code == 302
    queue.refresh_from_db()

    assert (queue.name, queue.is_by_session) == ("Tone", True)


def test_it_refuses_an_unknown_unit(queue: Queue, lead_client: Client) -> None:
    assert lead_client.post(SETTINGS_URL, {**FIELDS, "unit": "spans"}).status_code == 422


def test_it_creates_a_queue_of_sessions(project: Project, lead_client: Client) -> None:
    form_data = {**FIELDS, "slug": "talks", "score_min": "0", "score_max": "1", "score_step": "1", "unit": "sessions"}
    lead_client.post("/p/support/queues/new/", form_data)

    assert Queue.objects.get(slug="talks").is_by_session
