"""Marks of traces that could not be read: what sets and clears them, when they are tried again, and who sees them."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.laminar import ParsedRows, UnreadableRow
from reviewapp.lib import clock
from reviewapp.traces.models import Trace, UnreadablePart
from reviewapp.traces.sync import pull, storing, transcripts, unreadable
from reviewapp.traces.views.unreadable import PAGE_SIZE
from reviewapp.worker.mirror_sync import has_active_patch
from tests.factories import PatchFactory, TraceFactory
from tests.traces.rows import trace_row

TRACE = UUID(int=7)
REASON = "“total_tokens” is not a whole number below 2^63"
LIST = "/p/support/traces/unreadable/"


def mark(project: Project, trace_id: UUID = TRACE, reason: str = REASON) -> UnreadablePart:
    unreadable.mark_rows(project, [UnreadableRow(trace_id, reason)])
    return UnreadablePart.objects.get(trace__trace_id=trace_id)


def test_it_creates_a_placeholder_for_an_unknown_trace(project: Project) -> None:
    mark(project)
    trace = Trace.objects.get()
    assert (trace.trace_id, trace.pulled_at, trace.start_time, trace.is_kept) == (TRACE, None, None, False)


def test_it_keeps_what_is_stored_of_a_known_trace(project: Project) -> None:
    TraceFactory.create(project=project, trace_id=TRACE, name="answer")
    mark(project)
    assert (Trace.objects.get().name, Trace.objects.count()) == ("answer", 1)


def test_it_marks_nothing_without_an_id(project: Project) -> None:
    unreadable.mark_rows(project, [UnreadableRow(None, REASON)])
    assert not Trace.objects.exists()


def test_it_updates_the_reason_but_not_the_schedule(project: Project) -> None:
    before, after = mark(project), mark(project, reason="“id” is not\x00 a text" + "x" * 500)
    assert (after.pk, after.since, after.retry_at) == (before.pk, before.since, before.retry_at)
    assert (after.reason[:18], len(after.reason)) == ("“id” is not\N{REPLACEMENT CHARACTER} a tex", 300)
    assert after.reason.endswith("x…")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "it is not a JSON object"),
        ('{"a":', "it is not a JSON object"),
        ('{"a":' + "9" * 5000 + "}", "it is not a JSON object"),
        ('{"a":' + "[" * 100 + "]" * 100 + "}", "it is nested deeper than 64 levels"),
        ("[" * 100_000, "it is nested deeper than 64 levels"),
    ],
    ids=["list", "half", "digits", "deep", "open"],
)
def test_it_marks_a_listed_trace_whose_metadata_cannot_be_read(project: Project, text: str, reason: str) -> None:
    storing.store_page(project, ParsedRows([trace_row(TRACE, text), trace_row(UUID(int=8))], []))
    assert set(Trace.objects.pulled().values_list("trace_id", flat=True)) == {TRACE, UUID(int=8)}
    mark = UnreadablePart.objects.get()
    assert (mark.trace.trace_id, str(mark)) == (TRACE, f"The metadata could not be read: {reason}.")


def test_it_keeps_metadata_that_was_read_before_until_it_can_be_read_again(project: Project) -> None:
    for text in ('{"a":1}', "{"):
        storing.store_page(project, ParsedRows([trace_row(TRACE, text)], []))
    mark = UnreadablePart.objects.get()
    storing.store_page(project, ParsedRows([trace_row(TRACE, "{")], []))
    assert (UnreadablePart.objects.get().since, Trace.objects.get().metadata) == (mark.since, '{"a":1}')
    storing.store_page(project, ParsedRows([trace_row(TRACE, '{"a":1}')], []))
    assert not UnreadablePart.objects.exists()


def test_it_pulls_the_spans_of_a_trace_whose_metadata_cannot_be_read(project: Project) -> None:
    storing.store_page(project, ParsedRows([trace_row(TRACE, "{")], []))
    pull.request_for_reader(Trace.objects.get())
    assert Trace.objects.filter(pull_due_at__lte=clock.now()).exists()


def test_it_reads_a_trace_again_whose_metadata_could_not_be_read(project: Project) -> None:
    storing.store_page(project, ParsedRows([trace_row(TRACE, "{")], []))
    now = clock.now()
    UnreadablePart.objects.update(retry_at=now)
    Trace.objects.update(read_due_at=now + timedelta(days=1))
    transcripts.retry_unreadable(10)
    assert Trace.objects.filter(read_due_at__lte=clock.now()).exists()


def test_it_marks_many_traces_with_few_queries(
    project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [UnreadableRow(uuid4(), REASON) for _ in range(400)]
    with django_assert_max_num_queries(30):
        unreadable.mark_rows(project, rows)
    assert unreadable.count_traces(project) == 400
    with django_assert_max_num_queries(1):
        unreadable.mark_rows(project, rows)


def test_it_clears_the_mark_of_a_row_that_is_unchanged(project: Project) -> None:
    row = trace_row(TRACE)
    storing.store_page(project, ParsedRows([row], []))
    mark(project)
    assert storing.store_page(project, ParsedRows([row], [])) == 0
    assert not UnreadablePart.objects.exists()


def test_it_indexes_a_trace_that_was_unreadable_first(project: Project) -> None:
    mark(project)
    storing.store_page(project, ParsedRows([trace_row(TRACE, "{}")], []))
    assert Trace.objects.get().noted_at is not None


def test_it_does_not_mark_runs_of_evaluations(project: Project) -> None:
    storing.store_listed(project, ParsedRows([], [UnreadableRow(TRACE, REASON, trace_type="EVALUATION")]))
    assert not Trace.objects.exists()


def test_it_stores_the_others_when_one_cannot_be_stored(project: Project) -> None:
    rows = [trace_row(metadata='{"a":1}') for _ in range(3)]
    storing.store_changed(project, rows)
    bad = rows[1].id
    # A text that the comparison with the new metadata cannot parse.
    Trace.objects.filter(trace_id=bad).update(metadata="{")
    storing.store_changed(project, [trace_row(row.id, '{"a":2}') for row in rows])
    assert set(Trace.objects.exclude(trace_id=bad).values_list("metadata", flat=True)) == {'{"a":2}'}
    stored = UnreadablePart.objects.get()
    assert (stored.trace.trace_id, stored.reason) == (
        bad,
        "storing it failed with JSONDecodeError, see the worker's log",
    )


def test_it_tries_again_ever_more_rarely_but_at_least_once_a_day(project: Project) -> None:
    mark(project)
    delays = []
    with time_machine.travel(clock.now(), tick=False) as traveller:
        for _ in range(8):
            before = UnreadablePart.objects.get().retry_at
            traveller.move_to(before)
            assert len(unreadable.select_due(10)) == 1
            assert unreadable.select_due(10) == []
            delays.append(UnreadablePart.objects.get().retry_at - before)
    assert delays == sorted(delays)
    assert (delays[0], delays[-2:]) == (timedelta(minutes=10), [timedelta(days=1)] * 2)


@pytest.mark.parametrize(
    ("path", "role"), [("/p/support/", "reviewer"), ("/p/support/", "lead"), ("/p/support/deliveries/", "lead")]
)
def test_it_counts_them_on_a_page_with_a_link(
    project: Project, reviewer_client: Client, lead_client: Client, path: str, role: str
) -> None:
    client = reviewer_client if role == "reviewer" else lead_client
    assert LIST not in client.get(path).text
    mark(project)
    unreadable.mark_part(mark(project, uuid4()).trace, UnreadablePart.Part.SPANS, "no")
    assert f'<a href="{LIST}">2 traces</a>' in client.get(path).text


def test_it_lists_them_with_their_reasons(reviewer_client: Client, project: Project, other_project: Project) -> None:
    mark(project, reason="“<b>” is not\u202e a text")
    mark(other_project, UUID(int=8), "of another project")
    page = reviewer_client.get(LIST).text
    assert "This trace could not be read: “&lt;b&gt;” is not" in page
    assert f'href="/p/support/traces/{TRACE}/"' in page
    assert "\u202e" not in page
    assert "of another project" not in page


def test_it_lists_the_older_ones_on_the_next_page(reviewer_client: Client, project: Project) -> None:
    unreadable.mark_rows(
        project, [UnreadableRow(UUID(int=number), f"reason {number}.") for number in range(PAGE_SIZE + 1)]
    )
    first = reviewer_client.get(LIST)
    assert "reason 0." not in first.text
    last = first.context["rows"][-1].pk
    assert "reason 0." in reviewer_client.get(LIST, {"before": last}).text


def test_it_says_that_every_trace_could_be_read(reviewer_client: Client, project: Project) -> None:
    assert "Every trace could be read." in reviewer_client.get(LIST).text


def test_it_names_the_reason_on_the_page_of_the_trace(reviewer_client: Client, project: Project) -> None:
    mark(project)
    page = reviewer_client.get(f"/p/support/traces/{TRACE}/").text
    assert f"This trace could not be read: {REASON}. The worker tries again" in page


def test_it_does_not_pull_a_marked_trace_whenever_its_page_asks(reviewer_client: Client, project: Project) -> None:
    mark(project)
    reviewer_client.get(f"/p/support/traces/{TRACE}/?waiting=1")
    assert pull.select_due() == []


def test_it_keeps_a_placeholder_that_is_queued_or_has_a_patch(project: Project) -> None:
    for number in range(3):
        mark(project, UUID(int=number))
    Trace.objects.filter(trace_id=UUID(int=0)).update(is_kept=True)
    PatchFactory.create(project=project, trace_id=UUID(int=1))
    assert unreadable.prune(project, clock.now() + timedelta(days=1), has_active_patch(), 10) == 1
    assert {trace.trace_id.int for trace in Trace.objects.all()} == {0, 1}
