"""The history of metadata values: every change after the first pull, with its author."""

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
from reviewapp.traces.sync import storing
from tests.factories import PatchFactory, TraceFactory
from tests.traces.rows import store_metadata_spans, trace_row

TRACE = UUID(int=7)


def pull_metadata(project: Project, text: str) -> None:
    """Pull the trace with this metadata, an hour after it ended."""
    storing.store_traces(project, [trace_row(TRACE, text, end_time=clock.now() - timedelta(hours=1))])


def push(project: Project, **values: object) -> None:
    """Push these values and confirm them."""
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE), values, patch_id=5)
    Trace.objects.update(unconfirmed="{}")


def get_changes() -> list[tuple[str, str | None, str | None, str]]:
    return list(MetadataChange.objects.order_by("pk").values_list("key", "before", "after", "by"))


def test_it_records_nothing_at_the_first_pull(project: Project) -> None:
    pull_metadata(project, '{"a":1}')
    assert get_changes() == []


def test_it_knows_no_author_while_the_spans_are_not_here(project: Project) -> None:
    for text in ('{"a":1,"b":1}', '{"a":2,"c":"x"}'):
        storing.store_traces(project, [trace_row(TRACE, text, end_time=clock.now())])
    assert get_changes() == [("a", "1", "2", "unknown"), ("b", "1", None, "unknown"), ("c", None, '"x"', "unknown")]


@pytest.mark.parametrize(("carried", "author"), [({"a": 2}, "spans"), ({"a": 1}, "outside"), ({}, "outside")])
@pytest.mark.parametrize("minutes", [1, 7, 24 * 60])
def test_it_attributes_a_change_by_the_spans_and_not_by_its_time(
    project: Project, carried: dict[str, int], author: str, minutes: int
) -> None:
    end = clock.now() - timedelta(days=2)
    for text in ('{"a":1}', '{"a":2}'):
        with time_machine.travel(end + timedelta(minutes=minutes), tick=False):
            storing.store_traces(project, [trace_row(TRACE, text, end_time=end)])
    store_metadata_spans(Trace.objects.get(), carried)
    assert get_changes() == [("a", "1", "2", author)]


def test_it_pulls_the_spans_again_when_they_do_not_explain_a_change(project: Project) -> None:
    pull_metadata(project, '{"a":1}')
    store_metadata_spans(Trace.objects.get(), {"a": 1})
    pull_metadata(project, '{"a":2}')
    assert get_changes() == [("a", "1", "2", "unknown")]
    assert Trace.objects.get().pull_due_at is not None
    Trace.objects.update(pull_due_at=None)
    store_metadata_spans(Trace.objects.get(), {"a": 1}, {"a": 2})
    assert get_changes() == [("a", "1", "2", "spans")]


def test_it_does_not_count_a_reverted_patch_as_ours(project: Project) -> None:
    pull_metadata(project, '{"a":1,"b":1}')
    with transaction.atomic():
        before = merge.apply_patch(project, merge.lock_trace(project, TRACE), {"a": 2}, patch_id=5)
        merge.revert_patch(project, merge.lock_trace(project, TRACE), before, {}, review_count=0)
    pull_metadata(project, '{"a":3,"b":2}')
    assert [author for *_, author in get_changes()] == ["us", "us", "unknown", "unknown"]
    push(project, a=4)
    pull_metadata(project, '{"a":5,"b":2}')
    assert get_changes()[-1] == ("a", "4", "5", "others")


def test_it_records_a_push_with_its_patch(project: Project) -> None:
    pull_metadata(project, '{"a":1}')
    push(project, a=2)
    assert get_changes() == [("a", "1", "2", "us")]
    assert MetadataChange.objects.get().patch_id == 5


def test_it_attributes_a_change_of_our_value_to_others(project: Project) -> None:
    pull_metadata(project, '{"a":1}')
    push(project, a=2)
    pull_metadata(project, '{"a":3}')
    assert get_changes()[1:] == [("a", "2", "3", "others")]


def test_it_ignores_another_spelling_of_our_number(project: Project) -> None:
    push(project, a=1e300)
    pull_metadata(project, '{"a":1' + "0" * 300 + "}")
    assert [author for *_, author in get_changes()] == ["us"]


def test_it_attributes_a_change_of_a_pushed_trace_by_its_spans(project: Project) -> None:
    pull_metadata(project, '{"env":"test","x":1}')
    push(project, score=1)
    pull_metadata(project, '{"env":"live","x":2,"score":1}')
    assert get_changes()[1:] == [("env", '"test"', '"live"', "unknown"), ("x", "1", "2", "unknown")]
    store_metadata_spans(Trace.objects.get(), {"env": "live"})
    assert get_changes() == [
        ("score", None, "1", "us"), ("env", '"test"', '"live"', "spans"), ("x", "1", "2", "outside"),
    ]  # fmt: skip


def test_it_attributes_our_value_that_a_late_span_replaced_to_the_application(project: Project) -> None:
    pull_metadata(project, '{"a":1}')
    push(project, a=2)
    pull_metadata(project, '{"a":3}')
    store_metadata_spans(Trace.objects.get(), {"a": 3})
    assert get_changes()[-1] == ("a", "2", "3", "spans")


def test_it_records_both_values_when_laminars_value_is_taken_over(project: Project) -> None:
    push(project, a=2)
    with transaction.atomic():
        merge.apply_laminar_values(project, merge.lock_trace(project, TRACE), {"a": None})
    assert get_changes()[1:] == [("a", "2", None, "others")]


def test_it_records_a_reverted_patch(project: Project) -> None:
    with transaction.atomic():
        trace = merge.lock_trace(project, TRACE)
        before = merge.apply_patch(project, trace, {"a": 1}, patch_id=5, review_count=1)
        merge.revert_patch(project, merge.lock_trace(project, TRACE), before, {})
    assert get_changes() == [("a", None, "1", "us"), ("a", "1", None, "us")]


def test_it_truncates_a_long_value(project: Project) -> None:
    push(project, a="x" * 5_000)
    assert len(MetadataChange.objects.get().after or "") == MetadataChange.MAX_VALUE_LENGTH


def test_it_stores_many_changes_with_few_queries(
    project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ids = [UUID(int=number + 1) for number in range(50)]
    storing.store_traces(project, [trace_row(trace_id, '{"a":1}') for trace_id in ids])
    with django_assert_max_num_queries(14):
        storing.store_traces(project, [trace_row(trace_id, '{"a":2}') for trace_id in ids])
    assert MetadataChange.objects.count() == 50


def test_it_lists_each_change_on_the_metadata_page(reviewer_client: Client, project: Project) -> None:
    pull_metadata(project, '{"env":"test"}')
    patch = PatchFactory.create(project=project, trace_id=TRACE, source="review by ann")
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE), {"env": "<b>"}, patch_id=patch.pk)
    page = reviewer_client.get(f"/p/support/deliveries/traces/{TRACE}/metadata/").text
    assert "1 change" in page
    assert "the review desk, review by ann: from <code>test</code> to <code>&lt;b&gt;</code>" in page


@pytest.mark.parametrize(("ago", "is_marked"), [(timedelta(minutes=2), True), (timedelta(minutes=20), False)])
def test_it_marks_a_trace_that_may_change(
    reviewer_client: Client, project: Project, ago: timedelta, is_marked: bool
) -> None:
    trace = TraceFactory.create(project=project, end_time=clock.now() - ago)
    for url in ("/p/support/traces/", f"/p/support/traces/{trace.trace_id}/"):
        assert ("may change" in reviewer_client.get(url).text) is is_marked


def test_it_marks_a_recent_change_of_a_filtered_value(reviewer_client: Client, project: Project) -> None:
    pull_metadata(project, '{"env":"test","a":1}')
    pull_metadata(project, '{"env":"live","a":1}')
    url = "/p/support/traces/"
    assert "changed recently" in reviewer_client.get(url, {"m": "env=live"}).text
    assert "changed recently" not in reviewer_client.get(url, {"m": "a=1"}).text
    with time_machine.travel(clock.now() + history.RECENT_WINDOW, tick=False):
        assert history.recently_changed(Trace.objects.all(), ["env"]) == set()
