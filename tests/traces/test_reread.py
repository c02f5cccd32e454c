"""Reading metadata again: the schedule, the leases and the results."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from django.test import override_settings

from reviewapp.accounts.models import Project
from reviewapp.laminar import ParsedRows
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull, reread, watermark
from tests.factories import TraceFactory
from tests.traces.rows import trace_row

NOW = clock.now()


@pytest.mark.parametrize(
    ("ago", "is_kept", "delay"),
    [
        (timedelta(seconds=10), False, timedelta(seconds=50)),
        (timedelta(minutes=2), False, timedelta(minutes=8)),
        (timedelta(hours=2), False, timedelta(hours=22)),
        (timedelta(days=2), False, None),
        (timedelta(days=2), True, timedelta(days=7)),
        (-timedelta(days=9), False, timedelta(minutes=1)),
    ],
)
def test_it_schedules_readings_ever_more_rarely(ago: timedelta, is_kept: bool, delay: timedelta | None) -> None:
    trace = Trace(end_time=NOW - ago, is_kept=is_kept)
    assert trace.compute_next_read(NOW) == (None if delay is None else NOW + delay)


def test_it_restarts_the_schedule_after_a_change() -> None:
    trace = Trace(end_time=NOW - timedelta(days=5), changed_at=NOW)
    assert trace.compute_next_read(NOW) == NOW + timedelta(minutes=1)


def create_due_trace(project: Project, **more: object) -> Trace:
    now = clock.now()
    times = {"end_time": now - timedelta(days=2), "read_due_at": now - timedelta(minutes=1)}
    trace: Trace = TraceFactory.create(project=project, **times, **more)
    return trace


def test_it_leases_the_longest_waiting_traces_to_one_worker(project: Project, other_project: Project) -> None:
    longest, other = create_due_trace(project), create_due_trace(project)
    create_due_trace(other_project)
    Trace.objects.filter(pk=longest.pk).update(read_due_at=clock.now() - timedelta(hours=1))
    assert [trace.pk for trace in reread.select_due(project, 1)] == [longest.pk]
    assert [trace.pk for trace in reread.select_due(project)] == [other.pk]
    assert reread.select_due(project) == []


def test_it_stores_changes_and_reschedules_all(project: Project) -> None:
    changed, unchanged = create_due_trace(project, is_kept=True), create_due_trace(project, is_kept=True)
    leased = reread.select_due(project)
    rows = [trace_row(changed.trace_id, '{"a":1}', end_time=changed.end_time)]
    assert reread.store_and_reschedule(project, leased, ParsedRows(rows, [])) == 1
    changed.refresh_from_db()
    unchanged.refresh_from_db()
    assert (changed.metadata, changed.changed_at is not None) == ('{"a":1}', True)
    assert changed.read_due_at is not None
    assert unchanged.read_due_at is not None
    assert changed.read_due_at < clock.now() + timedelta(minutes=2) < unchanged.read_due_at


def test_it_keeps_a_reading_that_was_requested_meanwhile(project: Project) -> None:
    trace = create_due_trace(project)
    leased = reread.select_due(project)
    soon = clock.now() + timedelta(seconds=1)
    Trace.objects.update(read_due_at=soon)
    reread.store_and_reschedule(project, leased, ParsedRows([], []))
    trace.refresh_from_db()
    assert trace.read_due_at == soon


def test_it_reschedules_traces_that_were_not_read(project: Project) -> None:
    create_due_trace(project)
    reread.reschedule(reread.select_due(project))
    assert len(reread.select_due(project)) == 1


def test_it_keeps_and_rereads_a_queued_trace(project: Project) -> None:
    trace = TraceFactory.create(project=project, spans_pulled_at=clock.now())
    pull.request_pull(project, [trace.trace_id, UUID(int=9)])
    assert set(Trace.objects.values_list("is_kept", flat=True)) == {True}
    assert [due.pk for due in reread.select_due(project)] == [trace.pk]


def test_it_does_not_keep_a_trace_that_is_only_read(project: Project) -> None:
    with transaction.atomic():
        pull.request_pull(project, [UUID(int=9)], is_kept=False)
    assert not Trace.objects.get().is_kept


@override_settings(MIRROR_DAYS=2)
def test_it_limits_the_first_listing_to_the_mirrors_days(project: Project) -> None:
    assert watermark.next_listing_start(project) > clock.now() - timedelta(days=3)
