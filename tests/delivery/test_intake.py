"""Patches of other programs: once under a name, all or none, and on the same way as a review's."""

import threading
import time
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.audit.recording import find_first_broken
from reviewapp.delivery import leasing
from reviewapp.delivery.intake import IdempotencyKeyReusedError, PutResult, find_carrier, put_patches
from reviewapp.delivery.models import IdempotentPatch, Patch, State
from reviewapp.delivery.patch_input import PatchInput
from reviewapp.lib import sql
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.submitting import Answers, submit
from reviewapp.reviews.undoing import undo
from reviewapp.traces.metadata.index import matching
from reviewapp.traces.models import Trace
from tests.delivery.patches import TRACE_ID, accept_patch, reload
from tests.factories import TraceFactory
from tests.threads import run_concurrently

ANSWERS = Answers(score=None, notes="Correct.", needs_review=False)


def one(project: Project, metadata: dict[str, Any], trace_id: UUID = TRACE_ID, *, name: str = "") -> PutResult:
    (done,) = put_patches(project, [PatchInput(trace_id, metadata, idempotency_key=name)], source="token:ci")
    return done


def test_it_puts_a_patch_that_is_due(project: Project) -> None:
    put_patches(project, [PatchInput(TRACE_ID, {"judge.score": 0.5}, ("checked",))], source="token:ci")
    (patch,) = leasing.lease(10)

    assert (patch.trace_id, patch.values, patch.tag_names, patch.source) == (
        TRACE_ID, {"judge.score": 0.5}, ["checked"], "token:ci",
    )  # fmt: skip


def test_it_shows_in_the_mirror_at_once(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":1.0}')
    one(project, {"a": 2}, trace.trace_id)
    row = Trace.objects.get()

    assert (row.metadata, row.unconfirmed, row.review_count) == ('{"a":2,"b":1.0}', '{"a":2}', 0)


def test_it_is_found_by_its_last_value_at_once(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":1}')
    put_patches(
        project, [PatchInput(trace.trace_id, {"a": 2, "b": 2}), PatchInput(trace.trace_id, {"a": 1})], source="token:ci"
    )

    found = {(key, value): matching(project, [(key, value)]).count() for key in "ab" for value in "12"}
    assert found == {("a", "1"): 1, ("a", "2"): 0, ("b", "1"): 0, ("b", "2"): 1}


def test_it_puts_all_in_the_order_given(project: Project) -> None:
    given = [PatchInput(UUID(int=number), {"n": place}) for place, number in enumerate([5, 3, 5, 1, 3])]
    done = put_patches(project, given, source="token:ci")

    assert [each.patch.trace_id.int for each in done] == [5, 3, 5, 1, 3]
    assert [reload(each.patch).state for each in done] == ["superseded", "superseded", "waiting", "waiting", "waiting"]
    assert [done[2].patch.values, done[4].patch.values] == [{"n": 2}, {"n": 4}]
    assert Trace.objects.get(trace_id=UUID(int=3)).metadata == '{"n":4}'


def test_it_puts_one_patch_under_a_name(project: Project) -> None:
    first, again = (one(project, {"a": 1, "b": 2.0}, name="run 7") for _ in range(2))
    other_spelling = one(project, {"b": 2, "a": 1}, name="run 7")

    assert [first.is_new, again.is_new, other_spelling.is_new] == [True, False, False]
    assert first.patch == again.patch == other_spelling.patch
    assert (Patch.objects.count(), AuditEvent.objects.count()) == (1, 1)


def test_it_puts_a_name_twice_in_one_call_once(project: Project) -> None:
    given = PatchInput(TRACE_ID, {"a": 1}, idempotency_key="run 7")
    first, again = put_patches(project, [given, given], source="token:ci")

    assert (first.is_new, again.is_new, first.patch) == (True, False, again.patch)


def test_it_puts_what_has_no_name_each_time(project: Project) -> None:
    assert one(project, {"a": 1}).patch != one(project, {"a": 1}).patch


def test_a_name_is_the_projects_own(project: Project, other_project: Project) -> None:
    assert one(project, {"a": 1}, name="run 7").is_new
    assert one(other_project, {"a": 2}, name="run 7").is_new


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "other", [PatchInput(TRACE_ID, {"a": 2}), PatchInput(UUID(int=8), {"a": 1}), PatchInput(TRACE_ID, {"a": 1}, ("t",))]
)
def test_it_refuses_a_name_for_something_else_and_puts_nothing(project: Project, other: PatchInput) -> None:
    one(project, {"a": 1}, name="run 7")
    named = PatchInput(other.trace_id, other.metadata, other.tags, "run 7")

    with pytest.raises(IdempotencyKeyReusedError, match="“run 7” was already used for another patch") as caught:
        put_patches(project, [PatchInput(UUID(int=1), {"a": 1}), named], source="token:ci")
    assert caught.value.position == 1
    assert (Patch.objects.count(), IdempotentPatch.objects.count(), Trace.objects.count()) == (1, 1, 1)


def test_it_records_one_event_for_a_call(project: Project) -> None:
    done = put_patches(project, [PatchInput(UUID(int=number), {"n": 1}) for number in range(5)], source="token:ci")
    numbers = [each.patch.pk for each in done]
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.target) == ("token:ci", "relayed patches", "deliveries")
    assert event.detail == f'{{"count":5,"first":{min(numbers)},"last":{max(numbers)}}}'
    assert find_first_broken(project) is None


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_with_one_name_make_one_patch(project: Project) -> None:
    done = run_concurrently([partial(one, project, {"a": 1}, name="run 7")] * 20)

    assert [each.is_new for each in done].count(True) == 1
    assert {each.patch.pk for each in done} == set(Patch.objects.values_list("pk", flat=True))
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_name_for_several_things_at_once_stands_for_one(project: Project) -> None:
    def attempt(number: int) -> bool:
        try:
            return one(project, {"a": 1}, UUID(int=number), name="run 7").is_new
        except IdempotencyKeyReusedError:
            return False

    assert run_concurrently([partial(attempt, number) for number in range(8)]).count(True) == 1
    assert Patch.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_calls_with_the_same_traces_in_any_order_all_end(project: Project) -> None:
    ids = [UUID(int=number) for number in range(12)]

    def call(turn: int) -> int:
        order = ids if turn % 2 else ids[::-1]
        return len(
            put_patches(
                project,
                [PatchInput(each, {f"k{turn}": 1}, idempotency_key=f"{turn} {each}") for each in order],
                source="x",
            )
        )

    assert run_concurrently([partial(call, turn) for turn in range(8)]) == [12] * 8
    waiting = Patch.objects.filter(state=State.WAITING)
    assert [len(patch.values) for patch in waiting] == [8] * 12


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_gives_way_to_who_holds_its_patches_in_another_order(project: Project) -> None:
    """The database ends one of two that wait for each other, the one that waited first; it tries again."""
    first, second = (one(project, {"a": 1}, UUID(int=number)).patch for number in (1, 2))
    has_second = threading.Event()

    def against_the_order() -> None:
        with transaction.atomic():
            Patch.objects.select_for_update().get(pk=second.pk)
            has_second.set()
            until_somebody_waits()
            Patch.objects.select_for_update().get(pk=first.pk)

    def call() -> None:
        has_second.wait(10)
        put_patches(project, [PatchInput(UUID(int=number), {"b": 2}) for number in (1, 2)], source="token:ci")

    run_concurrently([against_the_order, call])
    waiting = Patch.objects.filter(state=State.WAITING)
    assert [patch.values for patch in waiting] == [{"a": 1, "b": 2}] * 2


def until_somebody_waits() -> None:
    """Until a transaction waits for another's lock."""
    until = time.monotonic() + 10
    while not sql.fetch_rows("SELECT pid FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_review_carries_what_was_relayed_before_it(project: Project, item: QueueItem, reviewer: User) -> None:
    before = one(project, {"judge.score": 1, "notes": "by a program"}, item.trace_id).patch
    review = submit(item, reviewer, ANSWERS, version=0)

    assert (review.patch.values["judge.score"], review.patch.values["notes"]) == (1, "Correct.")
    assert reload(before).superseded_by == review.patch


def test_it_carries_a_review_that_still_waits(project: Project, item: QueueItem, reviewer: User) -> None:
    review = submit(item, reviewer, ANSWERS, version=0)
    patch = one(project, {"judge.score": 1}, item.trace_id).patch

    assert (patch.values["notes"], patch.values["judge.score"]) == ("Correct.", 1)
    assert reload(review.patch).superseded_by == patch


def test_it_names_the_newest_that_carries_it(project: Project) -> None:
    patches = [one(project, {"n": number}).patch for number in range(4)]
    last = accept_patch(patches[-1])

    assert [find_carrier(reload(patch)) for patch in patches] == [last, last, last, None]


def test_it_names_what_carries_it_after_an_undo(project: Project, item: QueueItem, reviewer: User) -> None:
    patch = one(project, {"judge.score": 1}, item.trace_id).patch
    submit(item, reviewer, ANSWERS, version=0)
    undo(item, reviewer)
    carrier = find_carrier(reload(patch))

    assert carrier is not None
    assert (carrier.state, carrier.values) == (State.WAITING, {"judge.score": 1})
