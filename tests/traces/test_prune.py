"""The mirror's window: what nobody has queued goes, and the index and its counts say so."""

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.traces.metadata import index, suggestions
from reviewapp.traces.models import Posting, Span, Tally, Term, Trace, Watermark
from reviewapp.traces.sync import prune
from reviewapp.worker.mirror_sync import has_active_patch
from tests.factories import PatchFactory, SpanFactory, TraceFactory


def old(project: Project, days: int = 100, **more: object) -> Trace:
    trace: Trace = TraceFactory.create(
        project=project, start_time=clock.now() - timedelta(days=days), metadata='{"env":"test"}', **more
    )
    return trace


def prune_now(project: Project, before: datetime | None = None) -> int:
    return prune.prune(project, before or prune.get_cutoff(project), has_active_patch())


def test_what_is_past_the_window_goes_with_all_of_it(project: Project) -> None:
    gone, stays = old(project), old(project, days=1)
    SpanFactory.create(trace=gone)
    assert (prune_now(project), prune_now(project)) == (1, 0)
    assert list(Trace.objects.all()) == [stays]
    index.compact()
    assert (Span.objects.count(), Tally.objects.count(), Posting.objects.count()) == (0, 0, 1)
    assert Term.objects.get().count == 1
    assert [offer.count for offer in suggestions.suggest_keys(project)] == [1]


def test_only_so_many_stay(project: Project, settings: LazySettings) -> None:
    settings.MIRROR_TRACES = 2
    traces = [old(project, days=days) for days in (4, 3, 2, 1)]
    assert prune_now(project) == 2
    assert set(Trace.objects.all()) == set(traces[2:])


def test_nothing_is_counted_where_all_are_too_few(
    project: Project, settings: LazySettings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.MIRROR_TRACES = 2
    for days in (4, 3):
        old(project, days=days)
    with django_assert_num_queries(2) as asked:
        prune.get_cutoff(project)
    assert not [query for query in asked.captured_queries if "OFFSET" in query["sql"]]


def test_those_that_are_kept_do_not_count(project: Project, settings: LazySettings) -> None:
    settings.MIRROR_TRACES = 1
    for days in (3, 2):
        old(project, days=days, is_kept=True)
    old(project, days=1)
    assert prune_now(project) == 0


def test_the_queued_and_the_unconfirmed_stay(project: Project) -> None:
    old(project, is_kept=True)
    old(project, unconfirmed='{"score":1}')
    assert prune_now(project) == 0


@pytest.mark.parametrize(
    ("state", "is_watched", "goes"),
    [(State.PARKED, False, 0), (State.CONFIRMED, True, 0), (State.CONFIRMED, False, 1), (State.SUPERSEDED, False, 1)],
)
def test_a_patch_in_hand_keeps_its_trace(project: Project, state: str, is_watched: bool, goes: int) -> None:
    trace = old(project)
    due_at = clock.now() if is_watched else None
    PatchFactory.create(project=project, trace_id=trace.trace_id, state=state, watch_due_at=due_at)
    assert prune_now(project) == goes


def test_another_project_is_left(project: Project, other_project: Project) -> None:
    old(other_project)
    assert prune_now(project) == 0


def test_the_mirror_says_since_when_it_holds_all(project: Project) -> None:
    Watermark.objects.create(
        project=project,
        base_url=project.base_url,
        listed_until=clock.now(),
        complete_since=clock.now() - timedelta(days=200),
    )
    gone = old(project)
    prune_now(project)
    assert gone.start_time is not None
    assert Watermark.objects.get().complete_since == gone.start_time + timedelta(microseconds=1)


def test_a_few_go_at_a_time(project: Project) -> None:
    for _ in range(prune.BATCH_SIZE + 1):
        TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=100))
    assert [prune_now(project), prune_now(project)] == [prune.BATCH_SIZE, 1]
