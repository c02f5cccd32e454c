"""The clock is set back by an hour: waiting patches and open breakers continue as if it had not been."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.delivery import clock_skew, leasing, outbox
from reviewapp.delivery.breaker import NO_KEY_ID
from reviewapp.delivery.heartbeat import HeartbeatSender
from reviewapp.delivery.models import Breaker, Heartbeat, Patch, State
from reviewapp.laminar import ServerError
from reviewapp.lib import clock
from reviewapp.queues.models import CLAIM_DURATION, QueueItem
from reviewapp.traces.models import Trace
from reviewapp.worker.clock_correction import correct_times
from tests.delivery.patches import end_push, lease_patch, put, reload
from tests.factories import PatchFactory, RuleFactory, TraceFactory
from tests.worker.running import run_workers

HOUR = timedelta(hours=1)


def test_it_sends_a_waiting_patch_after_its_delay(project: Project) -> None:
    now = clock.now()
    with time_machine.travel(now + HOUR, tick=False), transaction.atomic():
        immediate = put(project, {"a": 1})
        delayed = outbox.put(project, uuid4(), {"a": 1}, source="a test", delay=timedelta(seconds=5))
    with time_machine.travel(now, tick=False):
        assert leasing.lease(10) == []
        assert clock_skew.correct_future_due_times() == 2
        assert [patch.pk for patch in leasing.lease(10)] == [immediate.pk]
        assert clock_skew.correct_future_due_times() == 0
    with time_machine.travel(now + timedelta(seconds=5), tick=False):
        assert [patch.pk for patch in leasing.lease(10)] == [delayed.pk]


def test_it_keeps_due_times_set_by_the_current_clock(project: Project) -> None:
    patch = put(project, {"a": 1})
    due_at = clock.now() + HOUR
    type(patch).objects.update(due_at=due_at, failures=3)
    assert clock_skew.correct_future_due_times() == 0
    assert reload(patch).due_at == due_at


def test_it_retries_a_failed_patch_at_once(project: Project) -> None:
    now = clock.now()
    with time_machine.travel(now + HOUR, tick=False):
        patch = put(project, {"a": 1})
        type(patch).objects.update(due_at=clock.now() + HOUR, failures=9)
    with time_machine.travel(now, tick=False):
        clock_skew.correct_future_due_times()
        lease_patch(patch)


@pytest.mark.parametrize(
    ("key", "max_delay"),
    [(None, timedelta(minutes=5)), (NO_KEY_ID, timedelta(minutes=15)), (UUID(int=7), timedelta(minutes=1))],
)
def test_it_caps_an_open_breaker(project: Project, key: UUID | None, max_delay: timedelta) -> None:
    now = clock.now()
    breaker = Breaker.objects.create(project=project, failures=5, open_until=now + HOUR, refused_key=key)
    with time_machine.travel(now, tick=False):
        assert clock_skew.correct_future_due_times() == 1
        assert clock_skew.correct_future_due_times() == 0
    breaker.refresh_from_db()
    assert breaker.open_until == now + max_delay


def test_it_notices_that_the_clock_was_set_back_once(project: Project) -> None:
    now = clock.now()
    with time_machine.travel(now + 2 * HOUR, tick=False):
        HeartbeatSender().send()
    with time_machine.travel(now, tick=False):
        assert clock_skew.find_set_back() == 2 * HOUR
        assert clock_skew.correct_heartbeats() == 1
        assert (clock_skew.find_set_back(), clock_skew.correct_heartbeats()) == (None, 0)


def test_it_corrects_what_was_scheduled_while_the_clock_was_ahead(project: Project, item: QueueItem) -> None:
    now = clock.now()
    retried = put(project, {"a": 1})
    accepted = PatchFactory.create(project=project, state=State.ACCEPTED)
    watched = PatchFactory.create(project=project, state=State.CONFIRMED)
    trace, rule = TraceFactory.create(project=project), RuleFactory.create(queue=item.queue)
    with time_machine.travel(now + 2 * HOUR, tick=False):
        HeartbeatSender().send()
        end_push(lease_patch(retried), ServerError("Laminar is in trouble.", status=500))
        Patch.objects.filter(pk=accepted.pk).update(due_at=clock.now())
        Patch.objects.filter(pk=watched.pk).update(watch_due_at=clock.now())
        Trace.objects.filter(pk=trace.pk).update(pull_due_at=clock.now(), noted_at=clock.now())
        type(rule).objects.update(scanned_until=clock.now())
        QueueItem.objects.update(claimed_until=clock.now())
    with time_machine.travel(now, tick=False):
        correct_times()
        retried, accepted, watched = reload(retried), reload(accepted), reload(watched)
        assert retried.due_at <= now + timedelta(seconds=2)
        assert accepted.due_at == watched.watch_due_at == now
    trace.refresh_from_db()
    rule.refresh_from_db()
    item.refresh_from_db()
    assert trace.pull_due_at == trace.noted_at == rule.scanned_until == now
    assert item.claimed_until == now + CLAIM_DURATION


@pytest.mark.django_db(transaction=True)
def test_it_corrects_due_times_in_a_worker(project: Project) -> None:
    now = clock.now()
    Heartbeat.objects.create(worker=uuid4(), host="a", pid=1, started_at=now, seen_at=now + 2 * HOUR)
    patch = put(project, {"a": 1})
    Patch.objects.update(due_at=now + 2 * HOUR)
    run_workers(until=lambda: reload(patch).due_at < now + HOUR)
