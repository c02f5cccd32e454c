"""Patches of other programs: once per idempotency key, all or none, and delivered like a review's patch."""

import threading
import time
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.audit.verification import find_first_broken
from reviewapp.delivery import leasing
from reviewapp.delivery.intake import IdempotencyKeyReusedError, PutResult, find_carrier, put_patches
from reviewapp.delivery.models import IdempotentPatch, Patch, State
from reviewapp.delivery.patch_validation import PatchInput
from reviewapp.lib import sql
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import undo
from reviewapp.traces.metadata.index import matching
from reviewapp.traces.models import Trace
from tests.delivery.patches import TRACE_ID, accept_patch, reload
from tests.factories import TraceFactory
from tests.threads import run_concurrently

ANSWERS = Answers(score=None, notes="Correct.", needs_review=False)


def put_one(project: Project, metadata: dict[str, Any], trace_id: UUID = TRACE_ID, *, key: str = "") -> PutResult:
    (result,) = put_patches(project, [PatchInput(trace_id, metadata, idempotency_key=key)], source="token:ci")
    return result


def test_it_puts_a_patch_that_is_due(project: Project) -> None:
    put_patches(project, [PatchInput(TRACE_ID, {"judge.score": 0.5}, ("checked",))], source="token:ci")
    (patch,) = leasing.lease(10)

    assert (patch.trace_id, patch.values, patch.tag_names, patch.source) == (
        TRACE_ID, {"judge.score": 0.5}, ["checked"], "token:ci",
    )  # fmt: skip


def test_it_updates_the_mirror_at_once(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":1.0}')
    put_one(project, {"a": 2}, trace.trace_id)
    row = Trace.objects.get()

    assert (row.metadata, row.unconfirmed, row.review_count) == ('{"a":2,"b":1.0}', '{"a":2}', 0)


def test_it_indexes_the_last_value_at_once(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":1}')
    put_patches(
        project, [PatchInput(trace.trace_id, {"a": 2, "b": 2}), PatchInput(trace.trace_id, {"a": 1})], source="token:ci"
    )

    counts = {(key, value): matching(project, [(key, value)]).count() for key in "ab" for value in "12"}
    assert counts == {("a", "1"): 1, ("a", "2"): 0, ("b", "1"): 0, ("b", "2"): 1}


def test_it_keeps_the_given_order(project: Project) -> None:
    inputs = [PatchInput(UUID(int=number), {"n": index}) for index, number in enumerate([5, 3, 5, 1, 3])]
    results = put_patches(project, inputs, source="token:ci")

    assert [result.patch.trace_id.int for result in results] == [5, 3, 5, 1, 3]
    states = [reload(result.patch).state for result in results]
    assert states == ["superseded", "superseded", "waiting", "waiting", "waiting"]
    assert [results[2].patch.values, results[4].patch.values] == [{"n": 2}, {"n": 4}]
    assert Trace.objects.get(trace_id=UUID(int=3)).metadata == '{"n":4}'


def test_it_puts_one_patch_per_idempotency_key(project: Project) -> None:
    first, repeated = (put_one(project, {"a": 1, "b": 2.0}, key="run 7") for _ in range(2))
    other_spelling = put_one(project, {"b": 2, "a": 1}, key="run 7")

    assert [first.is_new, repeated.is_new, other_spelling.is_new] == [True, False, False]
    assert first.patch == repeated.patch == other_spelling.patch
    assert (Patch.objects.count(), AuditEvent.objects.count()) == (1, 1)


def test_it_puts_a_repeated_key_in_one_call_once(project: Project) -> None:
    patch_input = PatchInput(TRACE_ID, {"a": 1}, idempotency_key="run 7")
    first, repeated = put_patches(project, [patch_input, patch_input], source="token:ci")

    assert (first.is_new, repeated.is_new, first.patch) == (True, False, repeated.patch)


def test_it_puts_a_patch_without_a_key_each_time(project: Project) -> None:
    assert put_one(project, {"a": 1}).patch != put_one(project, {"a": 1}).patch


def test_it_separates_keys_by_project(project: Project, other_project: Project) -> None:
    assert put_one(project, {"a": 1}, key="run 7").is_new
    assert put_one(other_project, {"a": 2}, key="run 7").is_new


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "other", [PatchInput(TRACE_ID, {"a": 2}), PatchInput(UUID(int=8), {"a": 1}), PatchInput(TRACE_ID, {"a": 1}, ("t",))]
)
def test_it_refuses_a_key_of_another_patch_and_puts_nothing(project: Project, other: PatchInput) -> None:
    put_one(project, {"a": 1}, key="run 7")
    named = PatchInput(other.trace_id, other.metadata, other.tags, "run 7")

    with pytest.raises(IdempotencyKeyReusedError, match="“run 7” was already used for another patch") as caught:
        put_patches(project, [PatchInput(UUID(int=1), {"a": 1}), named], source="token:ci")
    assert caught.value.position == 1
    assert (Patch.objects.count(), IdempotentPatch.objects.count(), Trace.objects.count()) == (1, 1, 1)


def test_it_records_one_audit_event_per_call(project: Project) -> None:
    inputs = [PatchInput(UUID(int=number), {"n": 1}) for number in range(5)]
    pks = [result.patch.pk for result in put_patches(project, inputs, source="token:ci")]
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.target) == ("token:ci", "saved patches", "deliveries")
    assert event.detail == f'{{"count":5,"first":{min(pks)},"last":{max(pks)}}}'
    assert find_first_broken(project) is None


@pytest.mark.django_db(transaction=True)
def test_it_puts_one_patch_for_twenty_concurrent_calls(project: Project) -> None:
    results = run_concurrently([partial(put_one, project, {"a": 1}, key="run 7")] * 20)

    assert [result.is_new for result in results].count(True) == 1
    assert {result.patch.pk for result in results} == set(Patch.objects.values_list("pk", flat=True))
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_accepts_one_of_several_concurrent_patches_with_one_key(project: Project) -> None:
    def attempt(number: int) -> bool:
        try:
            return put_one(project, {"a": 1}, UUID(int=number), key="run 7").is_new
        except IdempotencyKeyReusedError:
            return False

    assert run_concurrently([partial(attempt, number) for number in range(8)]).count(True) == 1
    assert Patch.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_completes_concurrent_calls_with_the_same_traces_in_any_order(project: Project) -> None:
    trace_ids = [UUID(int=number) for number in range(12)]

    def call(number: int) -> int:
        ordered = trace_ids if number % 2 else trace_ids[::-1]
        inputs = [
            PatchInput(trace_id, {f"k{number}": 1}, idempotency_key=f"{number} {trace_id}") for trace_id in ordered
        ]
        return len(put_patches(project, inputs, source="x"))

    assert run_concurrently([partial(call, number) for number in range(8)]) == [12] * 8
    waiting = Patch.objects.filter(state=State.WAITING)
    assert [len(patch.values) for patch in waiting] == [8] * 12


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_retries_after_a_deadlock(project: Project) -> None:
    """The database aborts one of two deadlocked transactions, the one that waited first; the call tries again."""
    first, second = (put_one(project, {"a": 1}, UUID(int=number)).patch for number in (1, 2))
    has_second = threading.Event()

    def lock_in_reverse_order() -> None:
        with transaction.atomic():
            Patch.objects.select_for_update().get(pk=second.pk)
            has_second.set()
            wait_for_blocked_transaction()
            Patch.objects.select_for_update().get(pk=first.pk)

    def call() -> None:
        has_second.wait(60)
        put_patches(project, [PatchInput(UUID(int=number), {"b": 2}) for number in (1, 2)], source="token:ci")

    run_concurrently([lock_in_reverse_order, call])
    waiting = Patch.objects.filter(state=State.WAITING)
    assert [patch.values for patch in waiting] == [{"a": 1, "b": 2}] * 2


def wait_for_blocked_transaction() -> None:
    """Wait until a transaction waits for another's lock."""
    deadline = time.monotonic() + 10
    while not sql.fetch_rows("SELECT pid FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_is_carried_by_a_later_review(project: Project, item: QueueItem, reviewer: User) -> None:
    earlier = put_one(project, {"judge.score": 1, "notes": "by a program"}, item.trace_id).patch
    review = submit(item, reviewer, ANSWERS, version=0)

    patch = Patch.objects.get(reviews=review)
    assert (patch.values["judge.score"], patch.values["notes"]) == (1, "Correct.")
    assert reload(earlier).superseded_by == patch


def test_it_carries_a_waiting_review(project: Project, item: QueueItem, reviewer: User) -> None:
    review = submit(item, reviewer, ANSWERS, version=0)
    patch = put_one(project, {"judge.score": 1}, item.trace_id).patch

    assert (patch.values["notes"], patch.values["judge.score"]) == ("Correct.", 1)
    assert Patch.objects.get(reviews=review).superseded_by == patch


def test_it_finds_the_newest_carrier(project: Project) -> None:
    patches = [put_one(project, {"n": number}).patch for number in range(4)]
    last = accept_patch(patches[-1])

    assert [find_carrier(reload(patch)) for patch in patches] == [last, last, last, None]


def test_it_finds_the_carrier_after_an_undo(project: Project, item: QueueItem, reviewer: User) -> None:
    patch = put_one(project, {"judge.score": 1}, item.trace_id).patch
    submit(item, reviewer, ANSWERS, version=0)
    undo(item, reviewer)
    carrier = find_carrier(reload(patch))

    assert carrier is not None
    assert (carrier.state, carrier.values) == (State.WAITING, {"judge.score": 1})
