"""Pulling: the mirror has Laminar's data, overridden by our values that are not confirmed yet."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.metadata import index, merge
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull, storing, watermark
from tests.factories import SpanFactory, TraceFactory
from tests.traces.rows import span_row, store_pulled_spans, trace_row

TRACE = UUID(int=7)


def store(project: Project, text: str = "{}", **more: object) -> Trace:
    """Store the trace with this metadata. Returns it as the mirror has it."""
    (trace,) = storing.store_traces(project, [trace_row(TRACE, text, **more)])
    trace.refresh_from_db()
    return trace


def is_found(project: Project, key: str, value: str) -> bool:
    return index.matching(project, [(key, value)]).exists()


def test_it_pulls_a_requested_trace_at_once(project: Project) -> None:
    pull.request_pull(project, [TRACE])
    (trace,) = pull.select_due()
    assert (trace.trace_id, trace.project, trace.has_spans) == (TRACE, project, False)


def test_it_creates_one_row_for_repeated_requests(project: Project) -> None:
    pull.request_pull(project, [TRACE, TRACE])
    pull.request_pull(project, [TRACE])
    assert Trace.objects.count() == 1


def test_it_does_not_pull_a_stored_trace_again(project: Project) -> None:
    TraceFactory.create(project=project, trace_id=TRACE, spans_pulled_at=clock.now())
    pull.request_pull(project, [TRACE])
    assert pull.select_due() == []


@pytest.mark.parametrize("due", [None, timedelta(hours=12)], ids=["never", "late"])
def test_it_brings_a_late_pull_forward(project: Project, due: timedelta | None) -> None:
    due_at = None if due is None else clock.now() + due
    Trace.objects.create(project=project, trace_id=TRACE, pull_due_at=due_at, pull_tries=9)
    pull.request_pull(project, [TRACE])
    assert [trace.pull_tries for trace in pull.select_due()] == [0]


def test_it_keeps_the_time_of_a_pull_that_is_due_soon(project: Project) -> None:
    soon = clock.now() + timedelta(seconds=30)
    Trace.objects.create(project=project, trace_id=TRACE, pull_due_at=soon, pull_tries=5)
    pull.request_pull(project, [TRACE])
    assert Trace.objects.get().pull_tries == 5


def test_it_requests_many_traces_with_few_queries(
    project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(40):
        pull.request_pull(project, [uuid4() for _ in range(1_200)])
    assert Trace.objects.exclude(pull_due_at=None).count() == 1_200


def test_it_leases_the_longest_waiting_traces_to_one_worker(project: Project) -> None:
    for number in range(pull.BATCH_SIZE + 2):
        due = clock.now() - timedelta(minutes=number)
        Trace.objects.create(project=project, trace_id=UUID(int=number), pull_due_at=due)
    first, second = pull.select_due(), pull.select_due()
    assert [trace.trace_id.int for trace in first] == list(range(pull.BATCH_SIZE + 1, 1, -1))
    assert {trace.trace_id.int for trace in second} == {0, 1}
    assert pull.select_due() == []


def test_it_releases_the_lease_of_a_dead_worker(project: Project) -> None:
    pull.request_pull(project, [TRACE])
    pull.select_due()
    with time_machine.travel(clock.now() + pull.LEASE + timedelta(seconds=1), tick=False):
        assert len(pull.select_due()) == 1


def test_it_skips_busy_projects(project: Project, other_project: Project) -> None:
    pull.request_pull(project, [TRACE])
    pull.request_pull(other_project, [TRACE])
    assert [trace.project for trace in pull.select_due(busy=[project.pk])] == [other_project]


def test_it_stores_a_trace_as_laminar_has_it(project: Project) -> None:
    trace = store(project, '{"a":1.0}', top_span_name="agent", status="error", total_tokens=12, total_cost=0.5)
    assert (trace.name, trace.status, trace.total_tokens, trace.total_cost) == ("agent", "error", 12, 0.5)
    assert (trace.metadata, trace.seconds, trace.pulled_at is not None) == ('{"a":1.0}', 1.876544, True)
    assert is_found(project, "a", "1.0")


def test_it_updates_what_changed_in_laminar(project: Project) -> None:
    store(project, '{"a":1,"b":1}', status="success")
    trace = store(project, '{"a":2}', status="error")
    assert (trace.metadata, trace.status, Trace.objects.count()) == ('{"a":2}', "error", 1)
    assert (is_found(project, "a", "2"), is_found(project, "a", "1"), is_found(project, "b", "1")) == (
        True,
        False,
        False,
    )


def test_it_keeps_our_unconfirmed_values(project: Project) -> None:
    store(project, '{"score":1,"a":1}')
    merge.apply_patch(project, merge.lock_trace(project, TRACE), {"score": 2})
    trace = store(project, '{"score":1,"a":5}')
    assert trace.metadata == '{"score":2,"a":5}'
    assert (is_found(project, "score", "2"), is_found(project, "score", "1"), is_found(project, "a", "5")) == (
        True,
        False,
        True,
    )


def test_it_overwrites_a_confirmed_value(project: Project) -> None:
    store(project, '{"score":1}')
    assert store(project, '{"score":3}').metadata == '{"score":3}'


def test_it_reindexes_a_changed_start_time(project: Project) -> None:
    store(project, '{"a":1}')
    trace = store(project, '{"a":1}', start_time=clock.now() - timedelta(days=3))
    assert index.matching(project, [("a", "1")]).get().start_time == trace.start_time


def test_it_stores_a_repeated_trace_once(project: Project) -> None:
    storing.store_traces(project, [trace_row(TRACE, '{"a":1}'), trace_row(TRACE, '{"a":2}')])
    assert Trace.objects.get().metadata == '{"a":2}'


def test_it_truncates_and_stores_unusual_texts(project: Project) -> None:
    trace = store(project, '{"a":"\\u0000"}', top_span_name="x" * 5_000, session_id="s\x00" * 400, user_id="\ud800")
    assert (len(trace.name), len(trace.session_id)) == (300, 300)


def test_it_stores_many_traces_with_few_queries(
    project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [trace_row(metadata=f'{{"a":{number}}}') for number in range(40)]
    with django_assert_max_num_queries(12):
        storing.store_traces(project, rows)


def test_it_stores_only_new_or_changed_traces(project: Project) -> None:
    same, changed, new = (trace_row(metadata='{"a":1}') for _ in range(3))
    assert storing.store_changed(project, [same, changed]) == 2
    before = Trace.objects.get(trace_id=same.id).pulled_at
    assert storing.store_changed(project, [same, trace_row(changed.id, '{"a":2}'), new]) == 2
    assert Trace.objects.get(trace_id=same.id).pulled_at == before


def test_it_keeps_the_response_to_the_later_query(project: Project) -> None:
    early, late = clock.now() - timedelta(seconds=9), clock.now()
    storing.store_traces(project, [trace_row(TRACE, '{"a":2}')], late)
    storing.store_traces(project, [trace_row(TRACE, '{"a":1}')], early)
    assert Trace.objects.get().metadata == '{"a":2}'
    assert not is_found(project, "a", "1")


@pytest.mark.parametrize(
    "changed",
    [
        {"top_span_name": "agent"}, {"status": "error"}, {"session_id": "s"}, {"user_id": "u"}, {"total_cost": 0.25},
        {"start_time": "2026-11-22 09:59:00.000000000"}, {"input_tokens": 3}, {"output_tokens": 3},
    ],
    ids=str,
)  # fmt: skip
def test_it_follows_changes_of_every_stored_column(project: Project, changed: dict[str, Any]) -> None:
    assert storing.store_changed(project, [trace_row(TRACE)]) == 1
    assert storing.store_changed(project, [trace_row(TRACE, **changed)]) == 1
    assert storing.store_changed(project, [trace_row(TRACE, **changed)]) == 0


def test_it_replaces_spans(project: Project) -> None:
    trace = store(project)
    SpanFactory.create(trace=trace, name="old")
    store_pulled_spans(trace, [span_row(1, name="a"), span_row(2, name="b\x00", input='{"q":1}')])
    trace.refresh_from_db()
    assert [span.name for span in trace.spans.order_by("pk")] == ["a", "b\N{REPLACEMENT CHARACTER}"]
    assert (trace.has_spans, trace.span_count, trace.is_cut) == (True, 2, False)


def test_it_stores_a_repeated_span_once(project: Project) -> None:
    trace = store(project)
    store_pulled_spans(trace, [span_row(1, name="before"), span_row(1, name="after")])
    assert [span.name for span in trace.spans.all()] == ["after"]


def test_it_keeps_the_rows_of_spans_across_pages(project: Project) -> None:
    trace = store(project)
    store_pulled_spans(trace, [span_row(1, name="before"), span_row(2), span_row(3)])
    rows = dict(trace.spans.values_list("span_id", "pk"))
    span_ids = pull.store_spans(trace, [span_row(1, name="after")]) | pull.store_spans(trace, [span_row(4)])
    assert trace.spans.count() == 4
    pull.finish_pull(trace, span_ids)
    assert [(span.span_id.int, span.name) for span in trace.spans.order_by("pk")] == [(1, "after"), (4, "step 4")]
    assert trace.spans.get(name="after").pk == rows[UUID(int=1)]
    assert Trace.objects.get().span_count == 2


def test_it_marks_a_trace_with_too_many_spans(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "MAX_SPANS", 3)
    trace = store(project)
    store_pulled_spans(trace, [span_row(1), span_row(2)])
    assert not Trace.objects.get().is_cut
    store_pulled_spans(trace, [span_row(1), span_row(2), span_row(3)])
    assert Trace.objects.get().is_cut


def test_it_renews_the_lease_with_each_page(project: Project) -> None:
    pull.request_pull(project, [TRACE])
    with time_machine.travel(clock.now() + pull.LEASE, tick=False):
        pull.store_spans(Trace.objects.get(), [span_row()])
        assert pull.select_due() == []


@pytest.mark.parametrize(
    ("ago", "is_due"),
    [(timedelta(minutes=1), True), (timedelta(minutes=6), False), (-timedelta(days=9), False)],
    ids=["just ended", "ended", "ends next week"],
)
def test_it_pulls_a_trace_again_while_it_may_change(project: Project, ago: timedelta, is_due: bool) -> None:
    trace = store(project, end_time=clock.now() - ago)
    store_pulled_spans(trace, [span_row()])
    due = Trace.objects.get().pull_due_at
    assert (due is not None and clock.now() < due < clock.now() + timedelta(minutes=1)) == is_due


def test_it_pulls_a_trace_again_after_it_has_grown(project: Project) -> None:
    store_pulled_spans(store(project, total_tokens=5), [span_row()])
    store(project, total_tokens=5)
    assert pull.select_due() == []
    store(project, total_tokens=9)
    assert len(pull.select_due()) == 1


def test_it_looks_for_a_missing_trace_ever_more_rarely_for_a_day(project: Project) -> None:
    pull.request_pull(project, [TRACE])
    delays = []
    while (due := Trace.objects.get().pull_due_at) is not None:
        delays.append(round((due - clock.now()).total_seconds()))
        pull.reschedule_missing([Trace.objects.get()])
    assert delays[1:] == pull.MISS_DELAYS == sorted(pull.MISS_DELAYS)
    assert timedelta(hours=20) < timedelta(seconds=sum(delays)) < timedelta(hours=36)
    assert Trace.objects.get().pull_error == "Laminar does not have this trace yet."


def test_it_clears_the_error_when_a_missing_trace_arrives(project: Project) -> None:
    pull.request_pull(project, [TRACE])
    pull.reschedule_missing(pull.select_due())
    store_pulled_spans(store(project), [span_row()])
    trace = Trace.objects.get()
    assert (trace.pull_error, trace.pull_tries, trace.has_spans) == ("", 0, True)


def test_it_retries_after_errors_without_end(project: Project) -> None:
    pull.request_pull(project, [TRACE])
    for _ in range(30):
        pull.reschedule_failed([Trace.objects.get()], "Laminar is in trouble (500). " + "x" * 500)
    trace = Trace.objects.get()
    assert trace.pull_error.startswith("Laminar is in trouble (500).")
    assert trace.pull_due_at is not None
    assert trace.pull_due_at < clock.now() + timedelta(minutes=6)


def test_it_keeps_stored_spans_after_an_error(project: Project) -> None:
    store_pulled_spans(store(project), [span_row()])
    pull.reschedule_failed([Trace.objects.get()], "Nobody answers.")
    assert (Trace.objects.get().has_spans, Trace.objects.get().spans.count()) == (True, 1)


def test_it_lists_a_week_at_first(project: Project) -> None:
    assert abs(watermark.next_listing_start(project) - clock.now() + timedelta(days=7)) < timedelta(minutes=1)


def test_it_starts_a_listing_shortly_before_the_end_of_the_last_one(project: Project) -> None:
    listed_until = clock.now() - timedelta(hours=1)
    since = listed_until - timedelta(days=1)
    watermark.advance_watermark(project, since, since, listed_until)
    watermark.advance_watermark(project, since, since, listed_until - timedelta(hours=5))
    assert watermark.next_listing_start(project) == listed_until - watermark.OVERLAP


def test_it_marks_a_name_that_it_shortens(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row(uuid4(), top_span_name="n" * 301, user_id="u" * 300)])
    store_pulled_spans(trace, [span_row(1, name="s" * 301, span_type="T" * 31, status="e" * 21)])
    assert (trace.name, trace.user_id) == ("n" * 299 + "…", "u" * 300)
    span = trace.spans.get()
    assert (span.name, span.span_type, span.status) == ("s" * 299 + "…", "T" * 29 + "…", "e" * 19 + "…")


def test_it_marks_a_reason_that_it_shortens(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row(uuid4())])
    pull.reschedule_failed([trace], "r" * 301)
    trace.refresh_from_db()
    assert trace.pull_error == "r" * 299 + "…"
    pull.postpone_unreadable(trace, "r" * 301)
    trace.refresh_from_db()
    assert (trace.pull_error[-2:], len(trace.pull_error)) == ("r…", 300)
