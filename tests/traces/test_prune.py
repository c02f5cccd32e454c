"""Pruning: old unqueued traces are deleted from the mirror, its index and its counts."""

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.traces.filter_models import Posting, Tally, Term
from reviewapp.traces.metadata import index, suggestions
from reviewapp.traces.models import Span, Trace, Watermark
from reviewapp.traces.sync import prune
from reviewapp.worker.mirror_sync import has_active_patch
from tests.factories import PatchFactory, SpanFactory, TraceFactory


def create_old_trace(project: Project, days: int = 100, **more: object) -> Trace:
    trace: Trace = TraceFactory.create(
        project=project, start_time=clock.now() - timedelta(days=days), metadata='{"env":"test"}', **more
    )
    return trace


def prune_now(project: Project, before: datetime | None = None) -> int:
    return prune.prune(project, before or prune.get_cutoff(project), has_active_patch())


def test_it_deletes_an_old_trace_with_all_its_data(project: Project) -> None:
    pruned, recent = create_old_trace(project), create_old_trace(project, days=1)
    SpanFactory.create(trace=pruned)
    assert (prune_now(project), prune_now(project)) == (1, 0)
    assert list(Trace.objects.all()) == [recent]
    index.compact()
    assert (Span.objects.count(), Tally.objects.count(), Posting.objects.count()) == (0, 0, 1)
    assert Term.objects.get().count == 1
    assert [suggestion.count for suggestion in suggestions.suggest_keys(project)] == [1]


def test_it_keeps_a_limited_number_of_traces(project: Project, settings: LazySettings) -> None:
    settings.MIRROR_TRACES = 2
    traces = [create_old_trace(project, days=days) for days in (4, 3, 2, 1)]
    assert prune_now(project) == 2
    assert set(Trace.objects.all()) == set(traces[2:])


def test_it_does_not_count_when_all_projects_are_below_the_limit(
    project: Project, settings: LazySettings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.MIRROR_TRACES = 2
    for days in (4, 3):
        create_old_trace(project, days=days)
    with django_assert_num_queries(2) as queries:
        prune.get_cutoff(project)
    assert not [query for query in queries.captured_queries if "OFFSET" in query["sql"]]


def test_it_does_not_count_queued_traces(project: Project, settings: LazySettings) -> None:
    settings.MIRROR_TRACES = 1
    for days in (3, 2):
        create_old_trace(project, days=days, is_kept=True)
    create_old_trace(project, days=1)
    assert prune_now(project) == 0


def test_it_keeps_queued_traces_and_unconfirmed_values(project: Project) -> None:
    create_old_trace(project, is_kept=True)
    create_old_trace(project, unconfirmed='{"score":1}')
    assert prune_now(project) == 0


@pytest.mark.parametrize(
    ("state", "is_watched", "pruned_count"),
    [(State.PARKED, False, 0), (State.CONFIRMED, True, 0), (State.CONFIRMED, False, 1), (State.SUPERSEDED, False, 1)],
)
def test_it_keeps_a_trace_with_an_active_patch(
    project: Project, state: str, is_watched: bool, pruned_count: int
) -> None:
    trace = create_old_trace(project)
    due_at = clock.now() if is_watched else None
    PatchFactory.create(project=project, trace_id=trace.trace_id, state=state, watch_due_at=due_at)
    assert prune_now(project) == pruned_count


def test_it_keeps_traces_of_another_project(project: Project, other_project: Project) -> None:
    create_old_trace(other_project)
    assert prune_now(project) == 0


def test_it_records_since_when_the_mirror_is_complete(project: Project) -> None:
    Watermark.objects.create(
        project=project,
        base_url=project.base_url,
        listed_until=clock.now(),
        complete_since=clock.now() - timedelta(days=200),
    )
    trace = create_old_trace(project)
    prune_now(project)
    assert trace.start_time is not None
    assert Watermark.objects.get().complete_since == trace.start_time + timedelta(microseconds=1)


def test_it_deletes_one_batch_at_a_time(project: Project) -> None:
    for _ in range(prune.BATCH_SIZE + 1):
        TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=100))
    assert [prune_now(project), prune_now(project)] == [prune.BATCH_SIZE, 1]
