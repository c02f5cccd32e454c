"""Leasing: which patches may be sent now, in which order, and by which worker."""

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
from reviewapp.delivery import leasing, outbox, queries
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock, sql
from reviewapp.lib.leases import LEASE_DURATION
from tests.delivery.patches import end_push, lease_patch, put, put_many, reload
from tests.factories import PatchFactory, ProjectFactory


def test_it_leases_the_longest_due_first(project: Project) -> None:
    first, second, third = put_many(project, 3)
    Patch.objects.filter(pk=third.pk).update(due_at=clock.now() - timedelta(hours=1))
    assert [patch.pk for patch in leasing.lease(10)] == [third.pk, first.pk, second.pk]


def test_it_skips_patches_that_are_not_due(project: Project) -> None:
    PatchFactory.create(project=project, due_at=clock.now() + timedelta(seconds=5))
    assert leasing.lease(10) == []


def test_it_leases_no_more_than_the_limit(project: Project) -> None:
    put_many(project, 3)
    assert len(leasing.lease(2)) == 2
    assert len(leasing.lease(2)) == 1
    assert leasing.lease(2) == []


def test_it_marks_leased_patches_as_sending(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    row = reload(patch)
    assert (row.state, row.lease, row.leased_until) == (State.SENDING, patch.lease, patch.leased_until)


def test_it_leases_one_patch_per_trace(project: Project) -> None:
    trace_id = uuid4()
    first = PatchFactory.create(project=project, trace_id=trace_id)
    PatchFactory.create(project=project, trace_id=trace_id)
    assert [patch.pk for patch in leasing.lease(10)] == [first.pk]


def test_it_leases_no_second_patch_of_a_trace_while_one_is_sent(project: Project) -> None:
    first = lease_patch(put(project, {"score": 1}))
    second = put(project, {"score": 2})
    assert leasing.lease(10) == []
    end_push(first)
    assert [patch.pk for patch in leasing.lease(10)] == [second.pk]


def test_it_separates_equal_trace_ids_of_two_projects(project: Project, other_project: Project) -> None:
    put(project, {"score": 1})
    put(other_project, {"score": 1})
    assert len(leasing.lease(10)) == 2


def test_it_refuses_results_of_a_late_worker(project: Project) -> None:
    late = lease_patch(put(project, {"a": 1}))
    Patch.objects.filter(pk=late.pk).update(leased_until=clock.now() - timedelta(seconds=1))
    assert leasing.release_expired_leases() == 1
    leased = lease_patch(late)
    assert end_push(late).state == State.SENDING
    assert [attempt.outcome for attempt in late.attempts.all()] == [leasing.INTERRUPTED_MESSAGE]
    assert end_push(leased).state == State.ACCEPTED


def test_it_refuses_renewal_by_a_late_worker(project: Project) -> None:
    late = lease_patch(put(project, {"a": 1}))
    until = late.leased_until
    Patch.objects.filter(pk=late.pk).update(state=State.WAITING, lease=late.lease + 1)
    leasing.renew_leases([late])
    assert (late.leased_until, reload(late).state) == (until, State.WAITING)


def test_it_keeps_a_renewed_lease(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    with time_machine.travel(clock.now() + LEASE_DURATION * 0.9, tick=False):
        leasing.renew_leases([patch])
    with time_machine.travel(clock.now() + LEASE_DURATION * 1.1, tick=False):
        assert leasing.release_expired_leases() == 0
    with time_machine.travel(clock.now() + LEASE_DURATION * 2, tick=False):
        assert leasing.release_expired_leases() == 1


def test_it_releases_leases_of_a_dead_worker_within_half_a_minute(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    with time_machine.travel(clock.now() + timedelta(seconds=21), tick=False):
        assert leasing.release_expired_leases() == 1
        assert [row.pk for row in leasing.lease(1)] == [patch.pk]


def test_it_releases_leases_of_a_dead_worker_when_the_clock_was_set_back(project: Project) -> None:
    now = clock.now()
    with time_machine.travel(now + timedelta(hours=1), tick=False):
        patch = lease_patch(put(project, {"a": 1}))
    with time_machine.travel(now, tick=False):
        assert leasing.release_expired_leases() == 1
        assert [row.pk for row in leasing.lease(1)] == [patch.pk]
        assert leasing.release_expired_leases() == 0


def test_it_supersedes_a_replaced_patch_of_a_dead_worker(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    put(project, {"a": 2})
    with time_machine.travel(clock.now() + LEASE_DURATION * 2, tick=False):
        leasing.release_expired_leases()
    assert reload(patch).state == State.SUPERSEDED


def test_it_skips_a_project_with_an_open_breaker(project: Project, other_project: Project) -> None:
    put_many(project, 3)
    other = put(other_project, {"a": 1})
    Breaker.objects.create(project=project, failures=5, open_until=clock.now() + timedelta(minutes=1))
    assert [patch.pk for patch in leasing.lease(10)] == [other.pk]


def test_it_leases_one_probe_and_the_rest_when_it_is_answered(project: Project) -> None:
    put_many(project, 3)
    _create_breaker_due_for_probe(project)
    (probe,) = leasing.lease(10)
    assert leasing.lease(10) == []
    end_push(probe)
    assert len(leasing.lease(10)) == 2


def test_it_leases_other_projects_during_a_probe(project: Project) -> None:
    put_many(project, 40)
    others = put_many(ProjectFactory.create(), 3)
    _create_breaker_due_for_probe(project)
    leased = {patch.pk for patch in leasing.lease(10)}
    assert len(leased) == 4
    assert leased >= {patch.pk for patch in others}


def test_it_probes_with_the_patch_that_failed_least(project: Project) -> None:
    failing, good = put_many(project, 2)
    Patch.objects.filter(pk=failing.pk).update(failures=4)
    _create_breaker_due_for_probe(project)
    assert [patch.pk for patch in leasing.lease(10)] == [good.pk]


def test_it_leaves_room_for_other_projects(project: Project, other_project: Project) -> None:
    put_many(project, 2 * leasing.MAX_LEASED_PER_PROJECT)
    other = put(other_project, {"a": 1})
    leased = leasing.lease(leasing.MAX_LEASED_PER_PROJECT + 1)
    assert other.pk in {patch.pk for patch in leased}
    assert leasing.lease(10, leased) == []


def test_it_leases_the_rest_when_one_patch_always_fails(project: Project) -> None:
    failing, good = put_many(project, 2)
    Patch.objects.filter(pk=failing.pk).update(due_at=clock.now() - timedelta(days=1), metadata="{broken")
    assert {patch.pk for patch in leasing.lease(10)} == {failing.pk, good.pk}


@pytest.mark.django_db(transaction=True)
def test_it_leases_each_patch_once_to_four_workers(project: Project) -> None:
    expected = {patch.pk for patch in put_many(project, 200)}
    leased: list[int] = []

    def work() -> None:
        empty_count = 0
        while empty_count < 20:
            patches = leasing.lease(random.randint(1, 9))
            leased.extend(patch.pk for patch in patches)
            empty_count = 0 if patches else empty_count + 1

    _run_in_threads(work, 4)
    assert sorted(leased) == sorted(expected)


@pytest.mark.django_db(transaction=True)
def test_it_never_leases_two_patches_of_a_trace_to_concurrent_workers(project: Project) -> None:
    trace_ids = [uuid4() for _ in range(5)]
    for number in range(60):
        PatchFactory.create(project=project, trace_id=trace_ids[number % 5])
    sending_counts: list[int] = []

    def work() -> None:
        for _ in range(25):
            for patch in leasing.lease(5):
                sending = Patch.objects.filter(trace_id=patch.trace_id, state=State.SENDING)
                sending_counts.append(sending.count())
                outbox.record_outcome(patch, state=State.CONFIRMED)

    _run_in_threads(work, 4)
    assert set(sending_counts) == {1}


@pytest.mark.django_db(transaction=True)
def test_it_leases_one_probe_to_concurrent_workers(project: Project) -> None:
    put_many(project, 20)
    _create_breaker_due_for_probe(project)
    leased: list[Patch] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        leased.extend(leasing.lease(10))

    _run_in_threads(work, 4)
    assert len(leased) == 1


def test_it_uses_an_index_when_most_rows_are_finished_or_blocked(project: Project, other_project: Project) -> None:
    _create_many_rows(project, other_project)
    explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    plan = str(sql.fetch_rows(explain + queries.DUE_PATCHES, project.pk, clock.now(), 10))
    if connection.vendor == "postgresql":
        assert "patch_waiting" in plan
        assert "Seq Scan" not in plan
    else:
        assert "USING INDEX patch_waiting (project_id=? AND due_at<?)" in plan
        assert "SCAN" not in plan


def test_it_needs_a_constant_number_of_queries(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    put_many(project, 12)
    with django_assert_num_queries(5):
        assert len(leasing.lease(12)) == 12


def _create_breaker_due_for_probe(project: Project) -> None:
    Breaker.objects.create(project=project, failures=5, open_until=clock.now() - timedelta(seconds=1))


def _run_in_threads(work: Callable[[], None], count: int) -> None:
    with ThreadPoolExecutor(count) as threads:
        for future in [threads.submit(_run_and_close, work) for _ in range(count)]:
            future.result(60)


def _create_many_rows(project: Project, blocked_project: Project) -> None:
    states = [State.CONFIRMED] * 1_500 + [State.WAITING] * 20
    rows = [PatchFactory.build(project=project, state=state) for state in states]
    rows += [PatchFactory.build(project=blocked_project) for _ in range(1_500)]
    Patch.objects.bulk_create(rows)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE reviewapp_patch")


def test_it_leases_a_released_patch_again_at_once(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    leasing.release_leases([patch])
    assert (reload(patch).state, reload(patch).failures) == (State.WAITING, 0)
    assert lease_patch(patch).lease == patch.lease + 1


def test_it_supersedes_a_released_patch_that_was_replaced(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    put(project, {"a": 2})
    leasing.release_leases([patch])
    assert reload(patch).state == State.SUPERSEDED


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_supersedes_a_patch_replaced_while_leases_are_released(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    Patch.objects.filter(pk=patch.pk).update(leased_until=clock.now() - timedelta(seconds=1))
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            put(project, {"a": 2})
            future = threads.submit(_run_and_close, leasing.release_expired_leases)
            while not sql.fetch_rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                time.sleep(0.01)
        future.result(60)
    assert reload(patch).state == State.SUPERSEDED


def _run_and_close(action: Callable[[], object]) -> None:
    try:
        action()
    finally:
        connections.close_all()


def test_it_leaves_an_attempt_when_a_worker_dies(project: Project) -> None:
    patch = lease_patch(put(project, {"a": 1}))
    with time_machine.travel(clock.now() + timedelta(seconds=21), tick=False):
        assert leasing.release_expired_leases() == 1
        end_push(lease_patch(patch))
    attempts = list(patch.attempts.order_by("pk"))
    assert [(attempt.act, attempt.status) for attempt in attempts] == [("push", None), ("push", 200)]
    assert attempts[0].outcome == leasing.INTERRUPTED_MESSAGE
    assert (reload(patch).sends, reload(patch).interruptions, reload(patch).tries) == (1, 1, 2)


def test_it_takes_few_statements_to_release_many_leases(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    put_many(project, 20)
    leasing.lease(20)
    with time_machine.travel(clock.now() + timedelta(seconds=21), tick=False), django_assert_num_queries(6):
        assert leasing.release_expired_leases() == 20
