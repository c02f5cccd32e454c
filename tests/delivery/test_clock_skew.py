"""The clock is set back by an hour: waiting patches and open breakers continue as if it had not been."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.delivery import clock_skew, leasing, outbox
from reviewapp.delivery.models import Breaker
from reviewapp.lib import clock
from tests.delivery.patches import lease_patch, put, reload

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


@pytest.mark.parametrize(("key", "max_delay"), [(None, timedelta(minutes=5)), (UUID(int=0), timedelta(minutes=15))])
def test_it_caps_an_open_breaker(project: Project, key: UUID | None, max_delay: timedelta) -> None:
    now = clock.now()
    breaker = Breaker.objects.create(project=project, failures=5, open_until=now + HOUR, refused_key=key)
    with time_machine.travel(now, tick=False):
        assert clock_skew.correct_future_due_times() == 1
        assert clock_skew.correct_future_due_times() == 0
    breaker.refresh_from_db()
    assert breaker.open_until == now + max_delay
