"""An open breaker or a pause stays: no push that started before it ends it."""

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

BREAKING_ERRORS = [
    RateLimited("Laminar asks to slow down.", status=429, retry_after=60),
    KeyRefused("No.", status=401),
]


def push_result(patch: Patch, error: LaminarError | None = None) -> PushResult:
    return PushResult(patch, None, clock.now(), 0.1, error)


@pytest.mark.parametrize("error", BREAKING_ERRORS, ids=["429", "401"])
def test_it_stays_open_after_a_push_that_started_before(project: Project, error: LaminarError) -> None:
    put_many(project, 3)
    first, late = leasing.lease(2)
    end_push(first, error)
    end_push(late)
    assert Breaker.objects.get().is_open
    assert leasing.lease(10) == []


@pytest.mark.parametrize("is_first", [True, False], ids=["error first", "success first"])
def test_it_opens_when_an_error_is_recorded_with_a_success(project: Project, is_first: bool) -> None:
    put_many(project, 2)
    errors = [BREAKING_ERRORS[0], None] if is_first else [None, BREAKING_ERRORS[0]]
    pairs = zip(leasing.lease(2), errors, strict=True)
    results.record_pushes([push_result(patch, error) for patch, error in pairs])
    assert Breaker.objects.get().is_open


def test_it_stays_open_after_a_success_that_follows_the_fifth_failure(project: Project) -> None:
    put_many(project, 6)
    *failing, late = leasing.lease(6)
    for patch in failing:
        end_push(patch, Unreachable("Nobody answers."))
    end_push(late)
    assert Breaker.objects.get().is_open


def test_it_starts_no_push_after_an_error_though_others_succeed(project: Project) -> None:
    put_many(project, 2)
    refused, late = leasing.lease(2)
    pusher = Pusher(ClientPool())
    pusher._count_outcome(push_result(refused, BREAKING_ERRORS[0]))
    pusher._count_outcome(push_result(late))
    assert pusher.failures[project.pk] == schedule.BREAKER_THRESHOLD


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", ["a person", "another worker"])
def test_it_releases_leased_patches_that_were_not_started(by: str) -> None:
    gate = threading.Event()

    def wait_at_gate(path: str, body: dict[str, object]) -> tuple[int, None]:
        gate.wait(60)
        return 200, None

    def block(project: Project) -> None:
        if by == "a person":
            restore_guard.pause_delivery(restore_guard.projects_with_unfinished_deliveries(), "command")
        else:
            breaker.open_breaker(project.pk, "Laminar refused the key.", None)

    async def push(project: Project) -> None:
        pusher = Pusher(ClientPool())
        await pusher.run_round()
        await sync_to_async(block)(project)
        await pusher.run_round()
        gate.set()
        while pusher.leased:
            await pusher.run_round()
        await pusher.clients.close()
        await sync_to_async(connections.close_all)()

    with fake_laminar(wait_at_gate) as laminar:
        project = create_project(laminar)
        put_many(project, MAX_PUSHES_PER_PROJECT + 10)
        asyncio.run(asyncio.wait_for(push(project), 20))
    assert len(laminar.pushes) == MAX_PUSHES_PER_PROJECT
    assert patch_states().count(State.WAITING) == 10


def tried(lead_client: Client) -> str:
    """What the page says after "Try now"."""
    return lead_client.post("/p/support/deliveries/try/", follow=True).text


def test_it_sends_a_waiting_patch_on_try_now(lead_client: Client, project: Project) -> None:
    first, failed = put_many(project, 2)
    Patch.objects.filter(pk=first.pk).update(due_at=clock.now() + timedelta(minutes=1))
    Patch.objects.filter(pk=failed.pk).update(due_at=clock.now() + timedelta(hours=1), failures=3)
    breaker.open_breaker(project.pk, "Laminar refused the key.", None)
    assert "Trying one delivery now." in tried(lead_client)
    assert [patch.pk for patch in leasing.lease(10)] == [failed.pk]
    assert "Pushing has already resumed." in tried(lead_client)


def test_it_sends_no_patch_on_try_now_that_can_still_be_undone(lead_client: Client, project: Project) -> None:
    patch = put(project, {"score": 1})
    Patch.objects.update(due_at=clock.now() + timedelta(minutes=1))
    breaker.open_breaker(project.pk, "Laminar refused the key.", None)
    assert "No delivery is due right now." in tried(lead_client)
    assert reload(patch).due_at > clock.now()


def test_it_stays_closed_when_only_a_few_patches_always_fail(project: Project) -> None:
    put_many(project, 12)
    good, *bad = leasing.lease(12)
    pusher = Pusher(ClientPool())
    pusher._count_outcome(push_result(good))
    for patch in bad:
        patch.failures = 1
    failed = [pusher._count_outcome(push_result(patch, Unreachable("No."))) for patch in bad]
    results.record_pushes(failed)
    assert (pusher.failures[project.pk], Breaker.objects.get().failures) == (1, 1)


def test_it_retries_a_failed_probe_within_minutes(project: Project) -> None:
    Breaker.objects.create(project=project, failures=schedule.BREAKER_THRESHOLD)
    Patch.objects.filter(pk=put(project, {"a": 1}).pk).update(failures=11)
    row = end_push(leasing.lease(1)[0], Unreachable("Nobody answers."))
    assert row.due_at <= clock.now() + schedule.PROBE_RETRY_DELAY
