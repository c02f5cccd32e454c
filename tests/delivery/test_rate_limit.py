"""A project's rate limit: all workers together lease no more than it allows."""

from datetime import timedelta

import time_machine

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing
from reviewapp.delivery.models import Breaker
from reviewapp.lib import clock
from tests.delivery.patches import lease_patch, put, put_many


def set_limit(project: Project, limit: int | None) -> None:
    Project.objects.filter(pk=project.pk).update(push_limit=limit)


def test_it_leases_no_more_per_second_than_the_limit(project: Project) -> None:
    put_many(project, 13)
    set_limit(project, 5)
    with time_machine.travel(clock.now(), tick=False) as now:
        counts = [len(leasing.lease(50))]
        for _ in range(3):
            now.shift(timedelta(milliseconds=500))
            counts.append(len(leasing.lease(50)))
    assert counts == [5, 2, 3, 2]


def test_it_saves_up_at_most_one_second(project: Project) -> None:
    put_many(project, 12)
    set_limit(project, 5)
    Breaker.objects.create(project=project, allowance_at=clock.now() - timedelta(hours=1))
    assert len(leasing.lease(50)) == 5


def test_it_works_when_the_clock_was_set_back(project: Project) -> None:
    put_many(project, 3)
    set_limit(project, 5)
    Breaker.objects.create(project=project, allowance=2.5, allowance_at=clock.now() + timedelta(hours=1))
    assert len(leasing.lease(50)) == 2


def test_it_does_not_slow_other_projects(project: Project, other_project: Project) -> None:
    put_many(project, 3)
    set_limit(project, 1)
    other = put(other_project, {"a": 1})
    leasing.lease(1)
    assert [patch.pk for patch in leasing.lease(50)] == [other.pk]


def test_it_leases_all_due_patches_without_a_limit(project: Project) -> None:
    put_many(project, 12)
    set_limit(project, None)
    assert len(leasing.lease(50)) == 12
    assert not Breaker.objects.exists()


def test_it_gives_back_what_no_due_patch_needs(project: Project) -> None:
    set_limit(project, 5)
    with time_machine.travel(clock.now(), tick=False):
        put_many(project, 1)
        assert len(leasing.lease(50)) == 1
        put_many(project, 6)
        assert len(leasing.lease(50)) == 4


def test_it_gives_back_what_a_blocked_trace_does_not_need(project: Project) -> None:
    set_limit(project, 5)
    with time_machine.travel(clock.now(), tick=False):
        lease_patch(put(project, {"a": 1}))
        put(project, {"a": 2})
        assert [leasing.lease(50) for _ in range(5)] == [[]] * 5
        put_many(project, 6)
        assert len(leasing.lease(50)) == 4
