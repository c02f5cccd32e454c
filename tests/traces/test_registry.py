"""The registry of metadata keys: their values, who sets them, and findings."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.metadata import index, merge, registry
from reviewapp.traces.metadata.registry import KeySummary
from reviewapp.traces.models import MetadataChange, Trace
from reviewapp.traces.sync import storing
from tests.factories import TraceFactory
from tests.queries import count_queries
from tests.traces.rows import store_metadata_spans, trace_row

URL = "/p/support/traces/keys/"


def create_key(project: Project, name: str, *raws: str) -> KeySummary:
    """The summary of a key after creating a trace for each of these JSON texts."""
    for raw in raws:
        TraceFactory.create(project=project, metadata=merge.dump_members({name: raw}))
    index.compact()
    (summary,) = [summary for summary in registry.get_page(project).keys if summary.name == name]
    return summary


def test_it_counts_traces_and_values(project: Project, other_project: Project) -> None:
    TraceFactory.create(project=other_project, metadata='{"env":"foreign"}')
    summary = create_key(project, "env", '"live"', '"live"', '"test"')
    assert (summary.count, summary.distinct_count, summary.has_more_values, summary.findings) == (3, 2, False, [])
    assert [(value.text, value.count) for value in summary.values] == [("live", 2), ("test", 1)]


def test_it_shows_the_first_and_last_start_time(project: Project) -> None:
    first = TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=9), metadata='{"a":1}')
    last = TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=2), metadata='{"a":2}')
    summary = create_key(project, "a")
    assert (summary.first_at, summary.last_at) == (first.start_time, last.start_time)


@pytest.mark.parametrize(
    ("raws", "words"),
    [
        (("1", '"1"', "1.0"), "several types (integer, text, decimal number)"),
        (('{"a":1}',), "are objects"),
        (('[{"a":1}]',), "are objects"),
        (('"ann@example.org"',), "an e-mail address"),
        (tuple(map(str, range(registry.TOO_MANY_VALUES + 1))), "more than 100 different values"),
    ],
    ids=["types", "object", "list", "personal data", "crowded"],
)
def test_it_reports_a_key_that_is_hard_to_filter_by(project: Project, raws: tuple[str, ...], words: str) -> None:
    (finding,) = create_key(project, "k", *raws).findings
    assert words in finding


def test_it_finds_a_key_by_a_text_of_any_length(lead_client: Client, project: Project) -> None:
    create_key(project, "k" * 250, "1")
    assert "No key contains" not in lead_client.get(URL, {"part": "k" * 250}).text
    assert f"No key contains “{'k' * 251}”" in lead_client.get(URL, {"part": "k" * 251}).text


@pytest.mark.parametrize("raws", [("1", "null"), ("true", "false"), ('["a"]',), ("-5", "12")])
def test_it_reports_nothing_for_a_good_key(project: Project, raws: tuple[str, ...]) -> None:
    assert create_key(project, "k", *raws).findings == []


def test_it_reports_two_spellings_of_a_name(project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"feature_flag":"a"}')
    (finding,) = create_key(project, "featureFlag", '"a"').findings
    assert "“feature_flag”" in finding


def test_it_reports_who_changed_a_value_and_that_it_flips(project: Project) -> None:
    for number in range(registry.MIN_FLIPS):
        for raw in ("1", "2"):
            storing.store_traces(
                project, [trace_row(UUID(int=number), merge.dump_members({"step": raw}), end_time=clock.now())]
            )
        store_metadata_spans(Trace.objects.get(trace_id=UUID(int=number)), {"step": 1}, {"step": 2})
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, UUID(int=0)), {"step": 3}, patch_id=1)
    summary = create_key(project, "step")
    assert summary.changed_by == [("the application, in flight", 2), ("the review desk", 1)]
    assert dict(summary.set_by) == {"the application, in flight": 1, "the review desk": 1}
    assert "in 2 traces" in " ".join(summary.findings)


def test_it_does_not_report_late_changes_as_flips(project: Project) -> None:
    for number in range(registry.MIN_FLIPS):
        for raw in ("1", "2"):
            ended = clock.now() - timedelta(days=20)
            storing.store_traces(
                project, [trace_row(UUID(int=number), merge.dump_members({"step": raw}), end_time=ended)]
            )
        store_metadata_spans(Trace.objects.get(trace_id=UUID(int=number)), {"step": 1})
    summary = create_key(project, "step")
    assert (summary.set_by, summary.findings) == ([("someone else", 2)], [])


def test_it_does_not_take_a_pushed_key_for_the_applications(lead_client: Client, project: Project) -> None:
    for number in range(2):
        storing.store_traces(project, [trace_row(UUID(int=number), '{"env":"live","score":1}')])
        store_metadata_spans(Trace.objects.get(trace_id=UUID(int=number)), {"env": "live"})
    assert create_key(project, "score").set_by == [("someone else", 2)]
    assert create_key(project, "env").set_by == [("the application, in flight", 2)]
    assert "someone else" in lead_client.get(URL).text


def test_it_does_not_know_who_set_a_key_without_spans(lead_client: Client, project: Project) -> None:
    assert create_key(project, "score", "1").set_by == []
    page = lead_client.get(URL).text
    assert ("unknown: no spans here" in page, "in flight" in page) == (True, False)


@pytest.mark.parametrize(("more", "words"), [(0, "unchanged since"), (1, "no recent changes")])
def test_it_claims_nothing_about_changes_it_has_not_read(
    lead_client: Client, project: Project, more: int, words: str
) -> None:
    trace = TraceFactory.create(project=project, metadata='{"quiet":1}')
    index.compact()
    now = clock.now()
    rows = [
        MetadataChange(project=project, trace=trace, key="loud", at=now, by="us")
        for _ in range(registry.MAX_CHANGES + more)
    ]
    MetadataChange.objects.bulk_create(rows, batch_size=2_000)
    page = lead_client.get(URL).text
    assert [note for note in ("unchanged since", "no recent changes") if note in page] == [words]


def test_it_reads_a_limited_number_of_values(project: Project) -> None:
    rows = [trace_row(metadata=json.dumps({"id": number})) for number in range(registry.MAX_VALUES + 5)]
    storing.store_changed(project, rows)
    summary = create_key(project, "id")
    assert (summary.distinct_count, summary.has_more_values, summary.first_at) == (registry.MAX_VALUES, True, None)


def test_it_pages_and_filters_keys(lead_client: Client, project: Project) -> None:
    names = {f"key-{number:02}": number for number in range(registry.PAGE_SIZE + 1)}
    TraceFactory.create(project=project, metadata=json.dumps(names, separators=(",", ":")))
    index.compact()
    page = lead_client.get(URL).text
    assert ("key-00" in page, "key-25" in page, "start=25" in page) == (True, False, True)
    assert "key-25" in lead_client.get(URL, {"start": 25}).text
    assert "key-25" in lead_client.get(URL, {"part": "KEY-25"}).text


def test_it_escapes_keys_and_values(lead_client: Client, project: Project) -> None:
    create_key(project, "<b>bold</b>", '"<script>alert(1)</script>"', '"\u202e"')
    page = lead_client.get(URL).text
    assert not any(foreign in page for foreign in ("<b>bold", "<script>alert", "\u202e"))


@pytest.mark.parametrize("query", [{}, {"part": "\x00"}, {"start": "-1"}, {"start": "9" * 400}, {"part": "x" * 900}])
def test_it_accepts_any_query(lead_client: Client, project: Project, query: dict[str, str]) -> None:
    assert lead_client.get(URL, query).status_code == 200


def test_it_refuses_reviewers_and_outsiders(reviewer_client: Client, outsider_client: Client, project: Project) -> None:
    assert (reviewer_client.get(URL).status_code, outsider_client.get(URL).status_code) == (403, 404)


def test_it_runs_the_same_queries_for_more_keys(lead_client: Client, project: Project) -> None:
    create_key(project, "a", "1")
    before = count_queries(lambda: lead_client.get(URL))
    for number in range(10):
        create_key(project, f"k{number}", "1", "2", "3")
    assert count_queries(lambda: lead_client.get(URL)) == before
