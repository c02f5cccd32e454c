"""What a value was before: every change after the first sight, with who made it."""

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.metadata import history, merge
from reviewapp.traces.models import MetadataChange, Trace
from reviewapp.traces.sync import pull
from tests.factories import PatchFactory, TraceFactory
from tests.traces.rows import trace_row

TRACE = UUID(int=7)


def read(project: Project, text: str) -> None:
    """Laminar shows the trace with this metadata, long after it ended."""
    pull.store_traces(project, [trace_row(TRACE, text, end_time=clock.now() - timedelta(hours=1))])


def pushed(project: Project, **values: object) -> None:
    """We push these values, and a reading confirms them."""
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE), values, patch_id=5)
    Trace.objects.update(unconfirmed="{}")


def told() -> list[tuple[str, str | None, str | None, str]]:
    return list(MetadataChange.objects.order_by("pk").values_list("key", "before", "after", "by"))


def test_the_first_sight_is_no_change(project: Project) -> None:
    read(project, '{"a":1}')
    assert told() == []


def test_what_the_application_changed_came_in_flight(project: Project) -> None:
    for text in ('{"a":1,"b":1}', '{"a":2,"c":"x"}'):
        pull.store_traces(project, [trace_row(TRACE, text, end_time=clock.now())])
    assert told() == [("a", "1", "2", "flight"), ("b", "1", None, "flight"), ("c", None, '"x"', "flight")]


@pytest.mark.parametrize(
    ("first", "then", "by"),
    [(1, 4, "flight"), (1, 10, "flight"), (6, 7, "somebody"), (1, 24 * 60, "somebody")],
    ids=["at once", "first read after", "settled", "weeks later"],
)
def test_what_changes_after_a_trace_has_settled_is_somebody_elses(
    project: Project, first: int, then: int, by: str
) -> None:
    end = clock.now()
    for minutes, text in ((first, '{"a":1}'), (then, '{"a":2}')):
        with time_machine.travel(end + timedelta(minutes=minutes), tick=False):
            pull.store_traces(project, [trace_row(TRACE, text, end_time=end)])
    assert told() == [("a", "1", "2", by)]


def test_a_push_that_was_taken_back_leaves_nothing_of_ours(project: Project) -> None:
    read(project, '{"a":1,"b":1}')
    with transaction.atomic():
        before = merge.apply_patch(project, merge.lock_trace(project, TRACE), {"a": 2}, patch_id=5)
        merge.revert_patch(project, merge.lock_trace(project, TRACE), before, {}, review_count=0)
    read(project, '{"a":3,"b":2}')
    assert [by for *_, by in told()] == ["us", "us", "somebody", "somebody"]
    pushed(project, a=4)
    read(project, '{"a":5,"b":2}')
    assert told()[-1] == ("a", "4", "5", "others")


def test_a_push_is_ours_and_names_its_patch(project: Project) -> None:
    read(project, '{"a":1}')
    pushed(project, a=2)
    assert told() == [("a", "1", "2", "us")]
    assert MetadataChange.objects.get().patch_id == 5


def test_who_changes_our_value_is_somebody_else(project: Project) -> None:
    read(project, '{"a":1}')
    pushed(project, a=2)
    read(project, '{"a":3}')
    assert told()[1:] == [("a", "2", "3", "others")]


def test_another_spelling_of_our_number_is_nobodys_change(project: Project) -> None:
    pushed(project, a=1e300)
    read(project, '{"a":1' + "0" * 300 + "}")
    assert [by for *_, by in told()] == ["us"]


def test_a_late_change_of_a_trace_we_pushed_to_is_somebody_elses(project: Project) -> None:
    read(project, '{"env":"test"}')
    pushed(project, score=1)
    read(project, '{"env":"live","score":1}')
    assert told()[1:] == [("env", '"test"', '"live"', "others")]


def test_while_a_trace_runs_its_own_values_change_in_flight(project: Project) -> None:
    read(project, '{"env":"test"}')
    pushed(project, score=1)
    pull.store_traces(project, [trace_row(TRACE, '{"env":"live","score":1}', end_time=clock.now())])
    assert told()[1:] == [("env", '"test"', '"live"', "flight")]


def test_a_watch_that_takes_theirs_over_keeps_both_values(project: Project) -> None:
    pushed(project, a=2)
    with transaction.atomic():
        merge.apply_laminar_values(project, merge.lock_trace(project, TRACE), {"a": None})
    assert told()[1:] == [("a", "2", None, "others")]


def test_a_push_that_is_taken_back_is_told(project: Project) -> None:
    with transaction.atomic():
        held = merge.lock_trace(project, TRACE)
        before = merge.apply_patch(project, held, {"a": 1}, patch_id=5, review_count=1)
        merge.revert_patch(project, merge.lock_trace(project, TRACE), before, {})
    assert told() == [("a", None, "1", "us"), ("a", "1", None, "us")]


def test_a_long_value_is_cut(project: Project) -> None:
    pushed(project, a="x" * 5_000)
    assert len(MetadataChange.objects.get().after or "") == MetadataChange.MAX_VALUE_LENGTH


def test_many_changes_cost_few_queries(project: Project, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    ids = [UUID(int=number + 1) for number in range(50)]
    pull.store_traces(project, [trace_row(trace_id, '{"a":1}') for trace_id in ids])
    with django_assert_max_num_queries(14):
        pull.store_traces(project, [trace_row(trace_id, '{"a":2}') for trace_id in ids])
    assert MetadataChange.objects.count() == 50


def test_its_page_lists_each_change(reviewer_client: Client, project: Project) -> None:
    read(project, '{"env":"test"}')
    patch = PatchFactory.create(project=project, trace_id=TRACE, source="review by ann")
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE), {"env": "<b>"}, patch_id=patch.pk)
    page = reviewer_client.get(f"/p/support/deliveries/traces/{TRACE}/metadata/").text
    assert "1 change" in page
    assert "us, review by ann: from <code>test</code> to <code>&lt;b&gt;</code>" in page


@pytest.mark.parametrize(("ago", "is_marked"), [(timedelta(minutes=2), True), (timedelta(minutes=20), False)])
def test_a_trace_that_may_change_is_marked(
    reviewer_client: Client, project: Project, ago: timedelta, is_marked: bool
) -> None:
    trace = TraceFactory.create(project=project, end_time=clock.now() - ago)
    for url in ("/p/support/traces/", f"/p/support/traces/{trace.trace_id}/"):
        assert ("may change" in reviewer_client.get(url).text) is is_marked


def test_a_trace_whose_filtered_value_moved_is_marked_for_an_hour(reviewer_client: Client, project: Project) -> None:
    read(project, '{"env":"test","a":1}')
    read(project, '{"env":"live","a":1}')
    url = "/p/support/traces/"
    assert "changed lately" in reviewer_client.get(url, {"m": "env=live"}).text
    assert "changed lately" not in reviewer_client.get(url, {"m": "a=1"}).text
    with time_machine.travel(clock.now() + history.RECENT_WINDOW, tick=False):
        assert history.recently_changed(Trace.objects.all(), ["env"]) == set()
