"""What holds a project's pushes stays until it is over: no push that had begun before undoes it."""

import asyncio
import threading
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery import breaker, leasing, restore_guard, results, schedule
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.results import PushResult
from reviewapp.laminar import KeyRefused, LaminarError, RateLimited, Unreachable
from reviewapp.lib import clock
from reviewapp.worker.client_pool import ClientPool
from reviewapp.worker.pusher import MAX_PUSHES_PER_PROJECT, Pusher
from tests.delivery.patches import end_push, put, put_many, reload
from tests.worker.running import fake_laminar, patch_states
from tests.worker.test_faults import create_project

HOLDING = [
    RateLimited("Laminar asks to slow down.", status=429, retry_after=60),
    KeyRefused("No.", status=401),
]


@pytest.mark.parametrize("error", HOLDING, ids=["429", "401"])
def test_a_push_that_had_begun_before_ends_no_hold(project: Project, error: LaminarError) -> None:
    put_many(project, 3)
    first, late = leasing.lease(2)
    end_push(first, error)
    end_push(late)
    assert Breaker.objects.get().is_open
    assert leasing.lease(10) == []


@pytest.mark.parametrize("is_first", [True, False], ids=["hold first", "yes first"])
def test_a_hold_stands_when_it_is_marked_with_an_answer(project: Project, is_first: bool) -> None:
    put_many(project, 2)
    errors = [HOLDING[0], None] if is_first else [None, HOLDING[0]]
    taken = zip(leasing.lease(2), errors, strict=True)
    results.record_pushes([PushResult(patch, None, clock.now(), 0.1, error) for patch, error in taken])
    assert Breaker.objects.get().is_open


def test_an_answer_after_the_fifth_failure_ends_no_hold(project: Project) -> None:
    put_many(project, 6)
    *failing, late = leasing.lease(6)
    for patch in failing:
        end_push(patch, Unreachable("Nobody answers."))
    end_push(late)
    assert Breaker.objects.get().is_open


def test_a_worker_begins_no_more_after_a_hold_though_others_are_answered(project: Project) -> None:
    put_many(project, 2)
    held, late = leasing.lease(2)
    pushes = Pusher(ClientPool())
    pushes._count_outcome(PushResult(held, None, clock.now(), 0.1, HOLDING[0]))
    pushes._count_outcome(PushResult(late, None, clock.now(), 0.1, None))
    assert pushes.failures[project.pk] == schedule.BREAKER_THRESHOLD


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", ["a person", "another worker"])
def test_rows_that_were_leased_and_not_begun_are_given_back(by: str) -> None:
    gate = threading.Event()

    def slow(path: str, body: dict[str, object]) -> tuple[int, None]:
        gate.wait(10)
        return 200, None

    def hold(project: Project) -> None:
        if by == "a person":
            restore_guard.pause_delivery(restore_guard.projects_with_unfinished_patches(), "command")
        else:
            breaker.open_breaker(project.pk, "Laminar refused the key.", None)

    async def push(project: Project) -> None:
        pushes = Pusher(ClientPool())
        await pushes.run_round()
        await sync_to_async(hold)(project)
        await pushes.run_round()
        gate.set()
        while pushes.leased:
            await pushes.run_round()
        await pushes.clients.close()
        await sync_to_async(connections.close_all)()

    with fake_laminar(slow) as far:
        project = create_project(far)
        put_many(project, MAX_PUSHES_PER_PROJECT + 10)
        asyncio.run(asyncio.wait_for(push(project), 20))
    assert len(far.pushes) == MAX_PUSHES_PER_PROJECT
    assert patch_states().count(State.WAITING) == 10


def tried(lead_client: Client) -> str:
    """What the page says after "Try now"."""
    return lead_client.post("/p/support/deliveries/try/", follow=True).text


def test_a_try_now_sends_one_that_waits(lead_client: Client, project: Project) -> None:
    first, failed = put_many(project, 2)
    Patch.objects.filter(pk=first.pk).update(due_at=clock.now() + timedelta(minutes=1))
    Patch.objects.filter(pk=failed.pk).update(due_at=clock.now() + timedelta(hours=1), failures=3)
    breaker.open_breaker(project.pk, "Laminar refused the key.", None)
    assert "Trying one delivery now." in tried(lead_client)
    assert [patch.pk for patch in leasing.lease(10)] == [failed.pk]
    assert "Pushing has already resumed." in tried(lead_client)


def test_a_try_now_sends_nothing_that_can_still_be_undone_and_says_so(lead_client: Client, project: Project) -> None:
    patch = put(project, {"score": 1})
    Patch.objects.update(due_at=clock.now() + timedelta(minutes=1))
    breaker.open_breaker(project.pk, "Laminar refused the key.", None)
    assert "No delivery is due right now." in tried(lead_client)
    assert reload(patch).due_at > clock.now()


def test_few_patches_that_always_fail_hold_no_project(project: Project) -> None:
    put_many(project, 12)
    fine, *bad = leasing.lease(12)
    pushes = Pusher(ClientPool())
    pushes._count_outcome(PushResult(fine, None, clock.now(), 0.1, None))
    for patch in bad:
        patch.failures = 1
    failed = [pushes._count_outcome(PushResult(patch, None, clock.now(), 0.1, Unreachable("No."))) for patch in bad]
    results.record_pushes(failed)
    assert (pushes.failures[project.pk], Breaker.objects.get().failures) == (1, 1)


def test_a_probe_that_failed_goes_again_within_minutes(project: Project) -> None:
    Breaker.objects.create(project=project, failures=schedule.BREAKER_THRESHOLD)
    Patch.objects.filter(pk=put(project, {"a": 1}).pk).update(failures=11)
    row = end_push(leasing.lease(1)[0], Unreachable("Nobody answers."))
    assert row.due_at <= clock.now() + schedule.PROBE_RETRY_DELAY
