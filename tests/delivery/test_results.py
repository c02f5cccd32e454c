"""What each answer of Laminar means for the patch, for its project, and for the delivery page."""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine

from reviewapp.accounts.models import Project
from reviewapp.delivery import breaker, leasing, results, schedule
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.delivery.results import NotSent
from reviewapp.laminar import (
    AddressRefused,
    EndpointNotFound,
    KeyRefused,
    LaminarError,
    RateLimited,
    Redirected,
    RequestRefused,
    RequestTooLarge,
    ServerError,
    TimedOut,
    TraceNotFound,
    UnexpectedResponse,
    Unreachable,
)
from reviewapp.lib import backoff, clock
from reviewapp.worker.pusher import MAX_PUSHES_PER_PROJECT
from tests.delivery.patches import end_push, lease_patch, make_due, put, put_many, reload
from tests.factories import LaminarKeyFactory

TEMPORARY_ERRORS = [RateLimited, ServerError, Unreachable, TimedOut, Redirected, UnexpectedResponse]
KEY_ERRORS = [KeyRefused, EndpointNotFound, AddressRefused]
MISSING = TraceNotFound("Laminar does not know this trace.", status=404, answer='"Trace not found"')


@pytest.fixture
def patch(project: Project) -> Patch:
    return lease_patch(put(project, {"score": 1}))


def test_it_accepts_a_success_and_schedules_a_read(patch: Patch) -> None:
    row = end_push(patch)
    assert (row.state, row.sends, row.reads, row.last_error, row.leased_until) == (State.ACCEPTED, 1, 0, "", None)
    assert row.accepted_at is not None
    assert timedelta(seconds=0.5) < row.due_at - row.accepted_at < timedelta(seconds=2)


@pytest.mark.parametrize("kind", TEMPORARY_ERRORS)
def test_it_retries_a_temporary_failure(patch: Patch, kind: type[LaminarError]) -> None:
    row = end_push(patch, kind("Laminar is in trouble.", status=503))
    assert (row.state, row.failures, row.misses, row.sends) == (State.WAITING, 1, 0, 0)
    assert timedelta(0) < row.due_at - clock.now() <= timedelta(seconds=2)
    assert row.last_error == "Laminar is in trouble."
    assert Breaker.objects.get().failures == 1


@pytest.mark.parametrize("kind", [RequestRefused, RequestTooLarge])
def test_it_parks_refused_content_at_once(patch: Patch, kind: type[LaminarError]) -> None:
    row = end_push(patch, kind("Laminar refused this.", status=400))
    assert (row.state, row.reason, row.last_error) == (State.PARKED, Reason.REFUSED, "Laminar refused this.")
    assert not Breaker.objects.exists()


@pytest.mark.parametrize("kind", KEY_ERRORS)
def test_it_opens_the_breaker_when_the_key_is_refused(patch: Patch, kind: type[LaminarError]) -> None:
    key = LaminarKeyFactory.create(project=patch.project)
    row = end_push(patch, kind("Laminar refused the key.", status=401), key=key)
    breaker = Breaker.objects.get(project=patch.project)
    assert (row.state, row.failures, row.misses) == (State.WAITING, 0, 0)
    assert (breaker.is_open, breaker.refused_key, breaker.reason) == (True, key.pk, "Laminar refused the key.")
    assert leasing.lease(10) == []


def test_it_sends_waiting_patches_in_order_after_a_new_key(project: Project) -> None:
    first, second = put_many(project, 2)
    old = LaminarKeyFactory.create(project=project, retired_at=clock.now())
    end_push(lease_patch(first), KeyRefused("No.", status=401), key=old)
    breaker.close_breakers_with_new_key()
    assert leasing.lease(10) == []
    LaminarKeyFactory.create(project=project)
    breaker.close_breakers_with_new_key()
    assert [row.pk for row in leasing.lease(10)] == [first.pk, second.pk]


def test_it_keeps_the_breaker_open_with_the_same_key(patch: Patch) -> None:
    key = LaminarKeyFactory.create(project=patch.project)
    end_push(patch, KeyRefused("No.", status=401), key=key)
    breaker.close_breakers_with_new_key()
    assert Breaker.objects.get().is_open


def test_it_closes_the_breaker_after_a_first_key(patch: Patch) -> None:
    end_push(patch, KeyRefused("The project has no Laminar key."))
    LaminarKeyFactory.create(project=patch.project)
    breaker.close_breakers_with_new_key()
    assert len(leasing.lease(1)) == 1


def test_it_counts_a_missing_trace_separately(patch: Patch) -> None:
    row = end_push(patch, MISSING)
    assert (row.state, row.misses, row.failures, row.sends) == (State.WAITING, 1, 0, 0)
    assert timedelta(seconds=1) < row.due_at - clock.now() <= timedelta(seconds=2)
    assert not Breaker.objects.exists()


def test_it_retries_a_missing_trace_less_and_less_often_then_parks(project: Project) -> None:
    patch = put(project, {"score": 1})
    waits: list[int] = []
    while patch.state == State.WAITING and len(waits) < 30:
        make_due(patch)
        patch = end_push(lease_patch(patch), MISSING)
        waits.append(round((patch.due_at - clock.now()).total_seconds()))
    assert waits[:-1] == [2, 5, 15, 30, *[60] * 10, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400]
    assert (patch.state, patch.reason, patch.failures) == (State.PARKED, Reason.TRACE_NOT_FOUND, 0)
    assert not Breaker.objects.filter(failures__gt=0).exists()


def test_it_respects_retry_after(patch: Patch) -> None:
    row = end_push(patch, RateLimited("Laminar asks to slow down.", status=429, retry_after=1234.0))
    assert 1233 < (row.due_at - clock.now()).total_seconds() <= 1234


def test_it_doubles_failure_delays_up_to_an_hour_with_jitter() -> None:
    waits = [backoff.failure_delay(n, None).total_seconds() for n in range(1, 30)]
    assert all(2**n / 2 <= wait <= 2**n for n, wait in enumerate(waits[:11], 1))
    assert all(1_800 <= wait <= 3_600 for wait in waits[11:])
    assert len({backoff.failure_delay(20, None) for _ in range(10)}) > 1


def test_it_gives_up_after_eight_days_of_failing(project: Project) -> None:
    assert _fail_repeatedly(project, schedule.GIVE_UP_MIN_TRIES, timedelta(days=8, minutes=1)) == (
        State.PARKED,
        Reason.GAVE_UP,
    )


def test_it_does_not_give_up_before(project: Project) -> None:
    assert _fail_repeatedly(project, schedule.GIVE_UP_MIN_TRIES, timedelta(days=7, hours=23)) == (State.WAITING, "")


def test_it_does_not_give_up_after_a_few_tries(project: Project) -> None:
    assert _fail_repeatedly(project, schedule.GIVE_UP_MIN_TRIES - 1, timedelta(days=30)) == (State.WAITING, "")


def test_it_does_not_count_waiting_for_a_key_as_failing(project: Project) -> None:
    patch = put(project, {"score": 1})
    with time_machine.travel(clock.now() + timedelta(days=9), tick=False):
        assert _fail_repeatedly(project, schedule.GIVE_UP_MIN_TRIES, timedelta(days=1), patch) == (State.WAITING, "")


def _fail_repeatedly(project: Project, times: int, days: timedelta, patch: Patch | None = None) -> tuple[str, str]:
    """State and reason after this many failures, the last one this long after the others."""
    row = patch or put(project, {"score": 1})
    for _ in range(times - 1):
        make_due(row)
        # Our own fault does not count for the breaker.
        end_push(lease_patch(row), NotSent("The worker was held up and sent nothing."))
    with time_machine.travel(clock.now() + days, tick=False):
        make_due(row)
        last = end_push(lease_patch(row), ServerError("Laminar is in trouble.", status=500))
    return last.state, last.reason


def test_it_opens_the_breaker_after_five_failures_in_a_row(project: Project) -> None:
    patches = put_many(project, 6)
    for patch in patches[:4]:
        end_push(lease_patch(patch), Unreachable("Nobody answers."))
    assert not Breaker.objects.get().is_open
    end_push(lease_patch(patches[4]), Unreachable("Nobody answers."))
    assert (Breaker.objects.get().is_open, Breaker.objects.get().reason) == (True, "Nobody answers.")
    assert leasing.lease(10) == []


@pytest.mark.parametrize(
    "answer", [None, MISSING, RequestRefused("No.", status=400)], ids=["yes", "missing", "refused"]
)
def test_it_resets_the_failures_after_any_answer(project: Project, answer: LaminarError | None) -> None:
    patches = put_many(project, 6)
    for patch in patches[:4]:
        end_push(lease_patch(patch), Unreachable("Nobody answers."))
    end_push(lease_patch(patches[4]), answer)
    end_push(lease_patch(patches[5]), Unreachable("Nobody answers."))
    assert (Breaker.objects.get().failures, Breaker.objects.get().is_open) == (1, False)


def test_it_sends_failed_patches_at_once_after_an_answered_probe(project: Project) -> None:
    patches = put_many(project, 6)
    for patch in patches[:5]:
        end_push(lease_patch(patch), Unreachable("Nobody answers."))
    Patch.objects.update(due_at=clock.now() + timedelta(hours=1))
    make_due(patches[5])
    with time_machine.travel(clock.now() + timedelta(seconds=6)):
        end_push(lease_patch(patches[5]))
        assert len(leasing.lease(10)) == 5


def test_it_keeps_the_breaker_open_longer_after_each_failed_probe(project: Project) -> None:
    delays, now = [], clock.now()
    for number, patch in enumerate(put_many(project, 10)):
        with time_machine.travel(now + timedelta(minutes=number), tick=False):
            make_due(patch)
            end_push(leasing.lease(1)[0], TimedOut("No answer."))
            until = Breaker.objects.get().open_until
            delays.append(0 if until is None else round((until - clock.now()).total_seconds()))
    assert delays == [0, 0, 0, 0, 5, 10, 20, 30, 30, 30]


def test_it_ignores_pushes_that_ended_after_the_breaker_opened(project: Project) -> None:
    put_many(project, 9)
    for patch in leasing.lease(9):
        end_push(patch, Unreachable("Nobody answers."))
    breaker = Breaker.objects.get()
    assert breaker.failures == schedule.BREAKER_THRESHOLD
    assert breaker.open_until is not None
    assert breaker.open_until - clock.now() <= timedelta(seconds=schedule.BREAKER_DELAYS[0])


def test_it_sends_few_requests_during_an_outage(project: Project) -> None:
    put_many(project, 80)
    requests, start = 0, clock.now()
    with time_machine.travel(start, tick=False) as now:
        while clock.now() < start + timedelta(minutes=30):
            patches = leasing.lease(64)
            for patch in patches[:MAX_PUSHES_PER_PROJECT]:
                end_push(patch, Unreachable("Nobody answers."))
            leasing.release_leases(patches[MAX_PUSHES_PER_PROJECT:])
            requests += len(patches[:MAX_PUSHES_PER_PROJECT])
            if not patches:
                now.move_to(Breaker.objects.get().open_until or clock.now())
    assert 50 < requests <= 100


def test_it_does_not_count_our_own_fault_for_the_breaker(patch: Patch) -> None:
    row = end_push(patch, NotSent("The worker was held up and sent nothing."))
    assert (row.state, row.failures) == (State.WAITING, 1)
    assert row.due_at > clock.now()
    assert not Breaker.objects.exists()


def test_it_stores_each_attempt_with_the_response(patch: Patch) -> None:
    end_push(patch, ServerError("Laminar is in trouble (500).", status=500, answer="out of memory"))
    attempt = Attempt.objects.get()
    assert (attempt.patch, attempt.act, attempt.status) == (patch, "push", 500)
    assert (attempt.outcome, attempt.answer) == ("Laminar is in trouble (500).", "out of memory")


def test_it_stores_the_last_use_and_error_of_the_key(patch: Patch) -> None:
    key = LaminarKeyFactory.create(project=patch.project)
    end_push(patch, ServerError("Laminar is in trouble (500).", status=500), key=key)
    key.refresh_from_db()
    assert (key.last_error, key.last_used_at is not None) == ("Laminar is in trouble (500).", True)
    make_due(patch)
    end_push(lease_patch(patch), key=key)
    key.refresh_from_db()
    assert key.last_error == ""


def test_it_shortens_a_long_error(patch: Patch) -> None:
    row = end_push(patch, ServerError("x" * 5_000, status=500, answer="y" * 500))
    assert (len(row.last_error), len(Attempt.objects.get().outcome)) == (600, 600)
    assert (row.last_error[-2:], Attempt.objects.get().outcome[-1]) == ("x…", "…")


def test_it_records_several_successes_together(project: Project) -> None:
    patches = [lease_patch(patch) for patch in put_many(project, 2)]
    now = clock.now()
    results.record_pushes([results.PushResult(patch, None, now, 0.1, None) for patch in patches])
    assert {reload(patch).state for patch in patches} == {State.ACCEPTED}
    assert Attempt.objects.count() == 2


def test_it_delays_the_whole_project_after_retry_after(patch: Patch) -> None:
    end_push(patch, RateLimited("Laminar asks to slow down.", status=429, retry_after=7))
    put(patch.project, {"b": 1}, uuid4())
    assert leasing.lease(10) == []
    open_until = Breaker.objects.get().open_until
    assert open_until is not None
    assert timedelta(seconds=6) < open_until - clock.now() <= timedelta(seconds=7)


def test_it_caps_the_delay_of_the_project(patch: Patch) -> None:
    row = end_push(patch, RateLimited("Laminar asks to slow down.", status=429, retry_after=86_400))
    open_until = Breaker.objects.get().open_until
    assert open_until is not None
    assert open_until - clock.now() <= timedelta(minutes=5)
    assert row.due_at - clock.now() > timedelta(hours=23)
