"""A queue can push the answer to a session to all its traces: one review, one patch for each trace."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery import leasing, outbox
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json, clock
from reviewapp.queues.models import ItemState, PushTarget, Queue, QueueItem, Unit
from reviewapp.reviews import session_push
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import CannotUndoError, undo
from reviewapp.traces.filters.session import find_place
from reviewapp.traces.models import Trace
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory

GOOD = Answers(Decimal("0.8"), "Right.", needs_review=True)
BAD = Answers(Decimal(0), "Wrong.", needs_review=False)


@pytest.fixture
def queue(project: Project) -> Queue:
    return create_queue(project, slug="answers", name="Answers")


@pytest.fixture
def turns(project: Project) -> list[Trace]:
    """Three traces of a session, oldest first, and one that started after the item's."""
    return [add_turn(project, minutes) for minutes in (4, 3, 2, 1)]


@pytest.fixture
def item(queue: Queue, turns: list[Trace]) -> QueueItem:
    return QueueItemFactory.create(queue=queue, trace_id=turns[2].trace_id)


def create_queue(project: Project, **fields: str) -> Queue:
    return QueueFactory.create(project=project, unit=Unit.SESSIONS, push_to=PushTarget.ALL, **fields)


def add_turn(project: Project, minutes_ago: int) -> Trace:
    start = clock.now() - timedelta(minutes=minutes_ago)
    return TraceFactory.create(project=project, session_id="s1", start_time=start, metadata='{"region":"us"}')


def waiting() -> dict[object, dict[str, object]]:
    """The values of each waiting patch by trace id."""
    return {patch.trace_id: patch.values for patch in Patch.objects.filter(state=State.WAITING)}


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def test_it_puts_a_patch_for_each_trace_up_to_the_item_s(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    review = submit(item, reviewer, GOOD, version=0)
    patches = waiting()
    assert set(patches) == {turn.trace_id for turn in turns[:3]}
    assert {values["score"] for values in patches.values()} == {0.8}
    assert Review.objects.get() == review
    assert Patch.objects.get(reviews=review).trace_id == item.trace_id
    assert [turn.review_count for turn in Trace.objects.order_by("start_time")] == [1, 1, 1, 0]


def test_it_keeps_all_these_traces_in_the_mirror(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    assert Trace.objects.filter(is_kept=True).count() == 3


def test_it_pushes_each_trace_its_own_revision_number(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    other = QueueItemFactory.create(queue__project=item.queue.project, trace_id=turns[0].trace_id)
    submit(other, reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=0)
    assert [waiting()[turn.trace_id]["review_rev"] for turn in turns[:3]] == [2, 1, 1]


@pytest.mark.parametrize(("unit", "target"), [("sessions", "last"), ("traces", "all")])
def test_it_puts_one_patch_otherwise(item: QueueItem, reviewer: User, unit: str, target: str) -> None:
    Queue.objects.update(unit=unit, push_to=target)
    submit(load(item), reviewer, GOOD, version=0)
    assert list(waiting()) == [item.trace_id]


def test_it_puts_one_patch_for_a_trace_that_is_not_pulled(queue: Queue, reviewer: User) -> None:
    item = QueueItemFactory.create(queue=queue)
    submit(item, reviewer, GOOD, version=0)
    assert list(waiting()) == [item.trace_id]


def test_it_pushes_a_newer_revision_to_all(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=1)
    assert [waiting()[turn.trace_id]["score"] for turn in turns[:3]] == [0, 0, 0]
    assert Patch.objects.filter(state=State.SUPERSEDED).count() == 3


def test_it_leaves_no_older_answer_behind_when_the_setting_changes(
    item: QueueItem, turns: list[Trace], reviewer: User
) -> None:
    submit(item, reviewer, GOOD, version=0)
    Queue.objects.update(push_to=PushTarget.LAST)
    submit(load(item), reviewer, BAD, version=1)
    assert {values["score"] for values in waiting().values()} == {0}
    assert len(waiting()) == 3


def test_it_saves_everything_or_nothing(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    with pytest.raises(canonical_json.InvalidJSONError):
        submit(item, reviewer, Answers(None, "a\x00b", needs_review=False), version=0)
    assert (Review.objects.count(), Patch.objects.count()) == (0, 0)


def test_it_undoes_all(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(item, reviewer)
    assert waiting() == {}
    assert leasing.lease(5) == []
    assert set(Trace.objects.values_list("metadata", "unconfirmed", "review_count")) == {('{"region":"us"}', "{}", 0)}


def test_it_undoes_a_revision_everywhere(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=1)
    undo(item, reviewer)
    assert [waiting()[turn.trace_id]["score"] for turn in turns[:3]] == [0.8, 0.8, 0.8]


def test_it_undoes_nothing_when_one_push_has_started(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    Patch.objects.filter(trace_id=turns[0].trace_id).update(state=State.SENDING, lease=1)
    with pytest.raises(CannotUndoError):
        undo(item, reviewer)
    assert len(waiting()) == 2
    assert set(Trace.objects.filter(review_count=1)) == set(turns[:3])
    assert QueueItem.objects.get().state == ItemState.COMPLETED


def test_it_does_not_wait_for_a_trace_that_fails(
    item: QueueItem, turns: list[Trace], reviewer: User, reviewer_client: Client
) -> None:
    submit(item, reviewer, GOOD, version=0)
    leased = leasing.lease(5)
    assert {patch.trace_id for patch in leased} == {turn.trace_id for turn in turns[:3]}
    for patch in leased:
        failed = patch.trace_id == turns[0].trace_id
        outbox.record_outcome(patch, state=State.PARKED if failed else State.CONFIRMED)
    page = " ".join(reviewer_client.get(f"/p/support/items/{item.pk}/delivery/").text.split())
    assert "Other traces of the session: 1 confirmed, 1 parked." in page
    assert "hx-get" not in page
    assert "parked" in reviewer_client.get(f"/p/support/items/{item.pk}/left/").text


def test_it_refreshes_the_delivery_until_all_are_done(
    item: QueueItem, turns: list[Trace], reviewer: User, reviewer_client: Client
) -> None:
    submit(item, reviewer, GOOD, version=0)
    Patch.objects.filter(trace_id=item.trace_id).update(state=State.CONFIRMED, confirmed_at=clock.now())
    assert "hx-get" in reviewer_client.get(f"/p/support/items/{item.pk}/delivery/").text


def test_it_counts_the_patch_that_carries_a_superseded_one(item: QueueItem, turns: list[Trace], reviewer: User) -> None:
    review = submit(item, reviewer, GOOD, version=0)
    outbox.put(item.queue.project, turns[0].trace_id, {"other": 1}, source="token:ci")
    assert session_push.count_states(review, item.queue) == {"waiting": 2}


def test_it_finds_a_review_by_the_delivery_to_any_trace(
    item: QueueItem, turns: list[Trace], reviewer: User, lead_client: Client
) -> None:
    submit(item, reviewer, GOOD, version=0)
    Patch.objects.filter(trace_id=turns[0].trace_id).update(state=State.PARKED)
    url = "/p/support/queues/answers/reviews/?delivery="
    assert "Right." in lead_client.get(f"{url}parked").text
    assert "Right." not in lead_client.get(f"{url}confirmed").text


def test_it_pushes_to_the_newest_two_hundred_and_says_so(queue: Queue, reviewer: User, reviewer_client: Client) -> None:
    start = clock.now() - timedelta(hours=1)
    traces = [
        TraceFactory.build(project=queue.project, session_id="s1", start_time=start + timedelta(seconds=number))
        for number in range(202)
    ]
    Trace.objects.bulk_create(traces)
    item = QueueItemFactory.create(queue=queue, trace_id=traces[-1].trace_id)
    page = reviewer_client.get(f"/p/support/items/{item.pk}/").text
    assert "pushed to this trace and the 199 before it, not to the older ones." in page
    submit(item, reviewer, GOOD, version=0)
    assert set(waiting()) == {trace.trace_id for trace in traces[2:]}


@pytest.mark.parametrize(("position", "target"), [(0, "this trace."), (2, "this trace and the 2 before it.")])
def test_it_says_where_the_answer_goes(queue: Queue, turns: list[Trace], position: int, target: str) -> None:
    assert session_push.describe_push(queue, find_place(turns[position])) == f"Your answer is pushed to {target}"


def test_it_says_that_it_goes_to_the_last_trace_only(queue: Queue, turns: list[Trace]) -> None:
    queue.push_to = PushTarget.LAST
    assert session_push.describe_push(queue, find_place(turns[2])) == "Your answer is pushed to this trace."


@pytest.mark.django_db(transaction=True)
def test_it_does_not_deadlock_when_two_queues_review_the_same_session(
    item: QueueItem, turns: list[Trace], project: Project, reviewer: User, colleague: User
) -> None:
    other = QueueItemFactory.create(queue=create_queue(project, key_prefix="b."), trace_id=turns[3].trace_id)

    def run(action: Callable[[], object]) -> None:
        try:
            action()
        finally:
            connection.close()

    answers = [replace(GOOD, notes=str(number)) for number in range(10)]
    with ThreadPoolExecutor(2) as pool:
        for version in range(10):
            submits = (partial(submit, load(item), reviewer, answers[version], version=version),
                       partial(submit, load(other), colleague, answers[version], version=version))  # fmt: skip
            list(pool.map(run, submits))
    assert [turn.review_count for turn in Trace.objects.order_by("start_time")] == [20, 20, 20, 10]
    assert {(waiting()[turn.trace_id]["notes"], waiting()[turn.trace_id]["b.notes"]) for turn in turns[:3]} == {
        ("9", "9")
    }
