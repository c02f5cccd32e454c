"""A project's rate limit: all workers together lease no more than it allows."""

from datetime import timedelta

import time_machine

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing
from reviewapp.delivery.models import Breaker
from reviewapp.lib import clock
from tests.delivery.patches import lease_patch, put, put_many


def limited(project: Project, limit: int | None) -> None:
    Project.objects.filter(pk=project.pk).update(push_limit=limit)


def test_it_leases_no_more_a_second_than_allowed(project: Project) -> None:
    put_many(project, 13)
    limited(project, 5)
    with time_machine.travel(clock.now(), tick=False) as now:
        counts = [len(leasing.lease(50))]
        for _ in range(3):
            now.shift(timedelta(milliseconds=500))
            counts.append(len(leasing.lease(50)))
    assert counts == [5, 2, 3, 2]


def test_it_saves_up_a_second_at_most(project: Project) -> None:
    put_many(project, 12)
    limited(project, 5)
    Breaker.objects.create(project=project, allowance_at=clock.now() - timedelta(hours=1))
    assert len(leasing.lease(50)) == 5


def test_a_clock_that_went_back_stops_nothing(project: Project) -> None:
    put_many(project, 3)
    limited(project, 5)
    Breaker.objects.create(project=project, allowance=2.5, allowance_at=clock.now() + timedelta(hours=1))
    assert len(leasing.lease(50)) == 2


def test_it_slows_no_other_project(project: Project, other_project: Project) -> None:
    put_many(project, 3)
    limited(project, 1)
    other = put(other_project, {"a": 1})
    leasing.lease(1)
    assert [patch.pk for patch in leasing.lease(50)] == [other.pk]


def test_without_a_limit_all_that_is_due_is_leased(project: Project) -> None:
    put_many(project, 12)
    limited(project, None)
    assert len(leasing.lease(50)) == 12
    assert not Breaker.objects.exists()


def test_what_is_not_due_takes_nothing_of_it(project: Project) -> None:
    limited(project, 5)
    with time_machine.travel(clock.now(), tick=False):
        put_many(project, 1)
        assert len(leasing.lease(50)) == 1
        put_many(project, 6)
        assert len(leasing.lease(50)) == 4


def test_a_row_that_waits_for_a_push_of_its_trace_takes_nothing_of_it(project: Project) -> None:
    limited(project, 5)
    with time_machine.travel(clock.now(), tick=False):
        lease_patch(put(project, {"a": 1}))
        put(project, {"a": 2})
        assert [leasing.lease(50) for _ in range(5)] == [[]] * 5
        put_many(project, 6)
        assert len(leasing.lease(50)) == 4
