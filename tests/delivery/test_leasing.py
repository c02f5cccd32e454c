"""Leasing: which patches may be sent now, in which order, and who holds them."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import connection, connections, transaction
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing, outbox
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock, sql
from tests.delivery.patches import end_push, lease_patch, put, put_many, reload
from tests.factories import PatchFactory, ProjectFactory


def test_it_takes_the_longest_due_first(project: Project) -> None:
    first, second, third = put_many(project, 3)
    Patch.objects.filter(pk=third.pk).update(due_at=clock.now() - timedelta(hours=1))
    assert [patch.pk for patch in leasing.lease(10)] == [third.pk, first.pk, second.pk]


def test_it_leaves_what_is_not_due(project: Project) -> None:
    PatchFactory.create(project=project, due_at=clock.now() + timedelta(seconds=5))
    assert leasing.lease(10) == []


def test_it_takes_no_more_than_asked(project: Project) -> None:
    put_many(project, 3)
    assert len(leasing.lease(2)) == 2
    assert len(leasing.lease(2)) == 1
    assert leasing.lease(2) == []


def test_it_holds_what_it_took(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    row = reload(patch)
    assert (row.state, row.lease, row.leased_until) == (State.SENDING, patch.lease, patch.leased_until)


def test_it_takes_one_of_two_of_a_trace(project: Project) -> None:
    trace_id = uuid4()
    first = PatchFactory.create(project=project, trace_id=trace_id)
    PatchFactory.create(project=project, trace_id=trace_id)
    assert [patch.pk for patch in leasing.lease(10)] == [first.pk]


def test_it_never_takes_a_second_while_one_of_the_trace_is_under_way(project: Project) -> None:
    first = lease_patch(put(project, {"score": 1}))
    second = put(project, {"score": 2})
    assert leasing.lease(10) == []
    end_push(first)
    assert [patch.pk for patch in leasing.lease(10)] == [second.pk]


def test_it_keeps_the_same_trace_id_of_another_project_apart(project: Project, other_project: Project) -> None:
    put(project, {"score": 1})
    put(other_project, {"score": 1})
    assert len(leasing.lease(10)) == 2


def test_a_late_worker_writes_nothing(project: Project) -> None:
    late = lease_patch(put(project, {"a": 1}))
    Patch.objects.filter(pk=late.pk).update(leased_until=clock.now() - timedelta(seconds=1))
    assert leasing.release_expired_leases() == 1
    taken = lease_patch(late)
    assert end_push(late).state == State.SENDING
    assert not late.attempts.exists()
    assert end_push(taken).state == State.ACCEPTED


def test_a_late_worker_cannot_renew(project: Project) -> None:
    late = lease_patch(put(project, {"a": 1}))
    until = late.leased_until
    Patch.objects.filter(pk=late.pk).update(state=State.WAITING, lease=late.lease + 1)
    leasing.renew_leases([late])
    assert (late.leased_until, reload(late).state) == (until, State.WAITING)


def test_a_lease_that_is_renewed_is_not_taken_back(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    with time_machine.travel(clock.now() + leasing.LEASE_DURATION * 0.9, tick=False):
        leasing.renew_leases([patch])
    with time_machine.travel(clock.now() + leasing.LEASE_DURATION * 1.1, tick=False):
        assert leasing.release_expired_leases() == 0
    with time_machine.travel(clock.now() + leasing.LEASE_DURATION * 2, tick=False):
        assert leasing.release_expired_leases() == 1


def test_it_takes_back_the_rows_of_a_dead_worker_within_half_a_minute(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    with time_machine.travel(clock.now() + timedelta(seconds=21), tick=False):
        assert leasing.release_expired_leases() == 1
        assert [row.pk for row in leasing.lease(1)] == [patch.pk]


def test_it_takes_back_the_rows_of_a_dead_worker_also_when_the_clock_was_put_back(project: Project) -> None:
    now = clock.now()
    with time_machine.travel(now + timedelta(hours=1), tick=False):
        patch = lease_patch(put(project, {"a": 1}))
    with time_machine.travel(now, tick=False):
        assert leasing.release_expired_leases() == 1
        assert [row.pk for row in leasing.lease(1)] == [patch.pk]
        assert leasing.release_expired_leases() == 0


def test_it_ends_a_replaced_row_of_a_dead_worker(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    put(project, {"a": 2})
    with time_machine.travel(clock.now() + leasing.LEASE_DURATION * 2, tick=False):
        leasing.release_expired_leases()
    assert reload(patch).state == State.SUPERSEDED


def test_it_leaves_a_project_that_is_held(project: Project, other_project: Project) -> None:
    put_many(project, 3)
    other = put(other_project, {"a": 1})
    Breaker.objects.create(project=project, failures=5, open_until=clock.now() + timedelta(minutes=1))
    assert [patch.pk for patch in leasing.lease(10)] == [other.pk]


def test_it_sends_one_to_try_after_a_hold_and_the_rest_when_that_is_answered(project: Project) -> None:
    put_many(project, 3)
    _hold_is_over(project)
    (probe,) = leasing.lease(10)
    assert leasing.lease(10) == []
    end_push(probe)
    assert len(leasing.lease(10)) == 2


def test_a_project_that_is_tried_does_not_stand_before_others(project: Project) -> None:
    put_many(project, 40)
    others = put_many(ProjectFactory.create(), 3)
    _hold_is_over(project)
    taken = {patch.pk for patch in leasing.lease(10)}
    assert len(taken) == 4
    assert taken >= {patch.pk for patch in others}


def test_the_patch_that_failed_least_goes_to_try(project: Project) -> None:
    poison, good = put_many(project, 2)
    Patch.objects.filter(pk=poison.pk).update(failures=4)
    _hold_is_over(project)
    assert [patch.pk for patch in leasing.lease(10)] == [good.pk]


def test_a_backlog_of_one_project_leaves_room_for_others(project: Project, other_project: Project) -> None:
    put_many(project, 2 * leasing.MAX_LEASED_PER_PROJECT)
    other = put(other_project, {"a": 1})
    taken = leasing.lease(leasing.MAX_LEASED_PER_PROJECT + 1)
    assert other.pk in {patch.pk for patch in taken}
    assert leasing.lease(10, taken) == []


def test_a_row_that_always_fails_does_not_stand_before_the_rest(project: Project) -> None:
    poison, good = put_many(project, 2)
    Patch.objects.filter(pk=poison.pk).update(due_at=clock.now() - timedelta(days=1), metadata="{broken")
    assert {patch.pk for patch in leasing.lease(10)} == {poison.pk, good.pk}


@pytest.mark.django_db(transaction=True)
def test_four_workers_take_each_row_exactly_once(project: Project) -> None:
    wanted = {patch.pk for patch in put_many(project, 200)}
    taken: list[int] = []

    def work() -> None:
        empty = 0
        while empty < 20:
            rows = leasing.lease(random.randint(1, 9))
            taken.extend(row.pk for row in rows)
            empty = 0 if rows else empty + 1

    _in_threads(work, 4)
    assert sorted(taken) == sorted(wanted)


@pytest.mark.django_db(transaction=True)
def test_workers_never_have_two_of_a_trace_under_way(project: Project) -> None:
    trace_ids = [uuid4() for _ in range(5)]
    for number in range(60):
        PatchFactory.create(project=project, trace_id=trace_ids[number % 5])
    seen: list[int] = []

    def work() -> None:
        for _ in range(25):
            for patch in leasing.lease(5):
                seen.append(Patch.objects.filter(trace_id=patch.trace_id, state=State.SENDING).count())
                outbox.record_outcome(patch, state=State.CONFIRMED)

    _in_threads(work, 4)
    assert set(seen) == {1}


@pytest.mark.django_db(transaction=True)
def test_only_one_of_two_workers_goes_to_try(project: Project) -> None:
    put_many(project, 20)
    _hold_is_over(project)
    taken: list[Patch] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        taken.extend(leasing.lease(10))

    _in_threads(work, 4)
    assert len(taken) == 1


def test_its_cost_does_not_grow_with_rows_that_are_done_or_held(project: Project, other_project: Project) -> None:
    _many_rows(project, other_project)
    explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    plan = str(sql.fetch_rows(explain + leasing._DUE_PATCHES, project.pk, clock.now(), 10))
    if connection.vendor == "postgresql":
        assert "patch_waiting" in plan
        assert "Seq Scan" not in plan
    else:
        assert "USING INDEX patch_waiting (project_id=? AND due_at<?)" in plan
        assert "SCAN" not in plan


def test_its_queries_do_not_grow_with_rows(project: Project, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    put_many(project, 12)
    with django_assert_num_queries(5):
        assert len(leasing.lease(12)) == 12


def _hold_is_over(project: Project) -> None:
    Breaker.objects.create(project=project, failures=5, open_until=clock.now() - timedelta(seconds=1))


def _in_threads(work: Callable[[], None], count: int) -> None:
    def worked() -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as threads:
        for done in [threads.submit(worked) for _ in range(count)]:
            done.result(60)


def _many_rows(project: Project, held: Project) -> None:
    states = [State.CONFIRMED] * 1_500 + [State.WAITING] * 20
    rows = [PatchFactory.build(project=project, state=state) for state in states]
    rows += [PatchFactory.build(project=held) for _ in range(1_500)]
    Patch.objects.bulk_create(rows)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE reviewapp_patch")


def test_a_row_that_was_not_begun_is_taken_again_at_once(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    leasing.release_leases([patch])
    assert (reload(patch).state, reload(patch).failures) == (State.WAITING, 0)
    assert lease_patch(patch).lease == patch.lease + 1


def test_a_row_given_back_after_a_newer_one_came_is_superseded(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    put(project, {"a": 2})
    leasing.release_leases([patch])
    assert reload(patch).state == State.SUPERSEDED


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_what_a_save_supersedes_while_leases_are_taken_back_is_not_sent_late(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    Patch.objects.filter(pk=patch.pk).update(leased_until=clock.now() - timedelta(seconds=1))
    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            put(project, {"a": 2})
            rescued = other.submit(_in_thread, leasing.release_expired_leases)
            while not sql.fetch_rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                time.sleep(0.01)
        rescued.result(10)
    assert reload(patch).state == State.SUPERSEDED


def _in_thread(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connections.close_all()
