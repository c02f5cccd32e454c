"""Metadata that is read again: when, how many at once, and what comes of it."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from django.test import override_settings

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull, reread, watermark
from tests.factories import TraceFactory
from tests.traces.rows import trace_row

NOW = clock.now()


@pytest.mark.parametrize(
    ("ago", "is_kept", "wait"),
    [
        (timedelta(seconds=10), False, timedelta(seconds=50)),
        (timedelta(minutes=2), False, timedelta(minutes=8)),
        (timedelta(hours=2), False, timedelta(hours=22)),
        (timedelta(days=2), False, None),
        (timedelta(days=2), True, timedelta(days=7)),
        (-timedelta(days=9), False, timedelta(minutes=1)),
    ],
)
def test_it_is_read_soon_and_then_more_rarely(ago: timedelta, is_kept: bool, wait: timedelta | None) -> None:
    trace = Trace(end_time=NOW - ago, is_kept=is_kept)
    assert trace.next_read(NOW) == (None if wait is None else NOW + wait)


def test_a_change_begins_the_schedule_anew() -> None:
    trace = Trace(end_time=NOW - timedelta(days=5), changed_at=NOW)
    assert trace.next_read(NOW) == NOW + timedelta(minutes=1)


def due(project: Project, **more: object) -> Trace:
    now = clock.now()
    times = {"end_time": now - timedelta(days=2), "read_due_at": now - timedelta(minutes=1)}
    trace: Trace = TraceFactory.create(project=project, **times, **more)
    return trace


def test_the_longest_waiting_are_taken_and_by_one_worker(project: Project, other_project: Project) -> None:
    late, later = due(project), due(project)
    due(other_project)
    Trace.objects.filter(pk=late.pk).update(read_due_at=clock.now() - timedelta(hours=1))
    assert [trace.pk for trace in reread.select_due(project, 1)] == [late.pk]
    assert [trace.pk for trace in reread.select_due(project)] == [later.pk]
    assert reread.select_due(project) == []


def test_what_changed_is_stored_and_the_rest_planned(project: Project) -> None:
    changed, same = due(project, is_kept=True), due(project, is_kept=True)
    taken = reread.select_due(project)
    rows = [trace_row(changed.trace_id, '{"a":1}', end_time=changed.end_time)]
    assert reread.store_and_reschedule(project, taken, rows) == 1
    changed.refresh_from_db()
    same.refresh_from_db()
    assert (changed.metadata, changed.changed_at is not None) == ('{"a":1}', True)
    assert changed.read_due_at is not None
    assert same.read_due_at is not None
    assert changed.read_due_at < clock.now() + timedelta(minutes=2) < same.read_due_at


def test_a_look_that_was_asked_for_meanwhile_stays(project: Project) -> None:
    trace = due(project)
    taken = reread.select_due(project)
    soon = clock.now() + timedelta(seconds=1)
    Trace.objects.update(read_due_at=soon)
    reread.store_and_reschedule(project, taken, [])
    trace.refresh_from_db()
    assert trace.read_due_at == soon


def test_what_is_given_back_is_due_again(project: Project) -> None:
    due(project)
    reread.reschedule(reread.select_due(project))
    assert len(reread.select_due(project)) == 1


def test_a_queued_trace_is_kept_and_read_again(project: Project) -> None:
    trace = TraceFactory.create(project=project, spans_pulled_at=clock.now())
    pull.request_pull(project, [trace.trace_id, UUID(int=9)])
    assert set(Trace.objects.values_list("is_kept", flat=True)) == {True}
    assert [one.pk for one in reread.select_due(project)] == [trace.pk]


def test_a_trace_that_is_only_read_is_not_kept(project: Project) -> None:
    with transaction.atomic():
        pull.request_pull(project, [UUID(int=9)], is_kept=False)
    assert not Trace.objects.get().is_kept


@override_settings(MIRROR_DAYS=2)
def test_the_first_listing_reaches_no_further_than_the_window(project: Project) -> None:
    assert watermark.next_listing_start(project) > clock.now() - timedelta(days=3)
