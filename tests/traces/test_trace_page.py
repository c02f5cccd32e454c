"""The page of one trace, also while it is not pulled yet."""

import json
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull
from tests.factories import SpanFactory, TraceFactory


@pytest.fixture
def trace(project: Project) -> Trace:
    """A trace with one span, pulled."""
    trace: Trace = TraceFactory.create(project=project, name="answer", spans_pulled_at=clock.now(), span_count=1)
    SpanFactory.create(trace=trace)
    return trace


def url(trace_id: UUID) -> str:
    return f"/p/support/traces/{trace_id}/"


@pytest.mark.parametrize("number", ["1.10", "1E5", "-0", "123456789012345678901234567890"])
def test_it_shows_a_number_as_written_in_metadata(reviewer_client: Client, trace: Trace, number: str) -> None:
    Trace.objects.filter(pk=trace.pk).update(metadata=f'{{"plan":{{"a":{number}}}}}')
    page = reviewer_client.get(f"{url(trace.trace_id)}?tab=metadata")
    assert number in page.text


@pytest.mark.parametrize("tab", ["transcript", "steps", "metadata", "raw"])
def test_it_refuses_a_search_text_that_is_too_long(reviewer_client: Client, trace: Trace, tab: str) -> None:
    text = "answer" * 34
    page = reviewer_client.get(url(trace.trace_id), {"tab": tab, "find": text}).text
    assert "The search text is longer than 200 characters. Shorten it and search again." in page
    assert f'value="{text}"' in page
    assert 'aria-label="Matches"' not in page


def test_it_works(reviewer_client: Client, trace: Trace) -> None:
    page = reviewer_client.get(url(trace.trace_id))
    assert page.status_code == 200
    assert "Paris." in page.text


@pytest.mark.parametrize("tab", ["transcript", "steps", "metadata", "nonsense", "%00"])
def test_it_shows_each_tab(reviewer_client: Client, trace: Trace, tab: str) -> None:
    assert reviewer_client.get(f"{url(trace.trace_id)}?tab={tab}").status_code == 200


def test_it_returns_only_the_reader_to_htmx(reviewer_client: Client, trace: Trace) -> None:
    fragment = reviewer_client.get(url(trace.trace_id), headers={"HX-Request": "true"})
    assert fragment.text.lstrip().startswith('<div id="reading"')


def test_it_refuses_a_trace_of_another_project(reviewer_client: Client, other_project: Project) -> None:
    assert reviewer_client.get(url(TraceFactory.create(project=other_project).trace_id)).status_code == 404


def test_it_refuses_an_unknown_trace(reviewer_client: Client) -> None:
    assert reviewer_client.get(url(uuid4())).status_code == 404
    assert not Trace.objects.exists()


def test_it_refuses_outsiders(outsider_client: Client, trace: Trace) -> None:
    assert outsider_client.get(url(trace.trace_id)).status_code == 404


def test_it_pulls_a_trace_whose_spans_are_missing(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project)
    page = reviewer_client.get(url(trace.trace_id))
    assert "This trace has not been pulled yet" in page.text
    assert [due.pk for due in pull.select_due()] == [trace.pk]


def test_it_brings_a_late_pull_forward(reviewer_client: Client, project: Project) -> None:
    due_at = clock.now() + timedelta(hours=6)
    trace = TraceFactory.create(project=project, pull_due_at=due_at, pull_error="Laminar does not have this trace yet.")
    assert "Laminar does not have this trace yet." in reviewer_client.get(url(trace.trace_id)).text
    assert len(pull.select_due()) == 1


def test_it_responds_to_a_waiting_page_when_the_trace_is_pulled(reviewer_client: Client, trace: Trace) -> None:
    Trace.objects.update(spans_pulled_at=None)
    assert reviewer_client.get(f"{url(trace.trace_id)}?waiting=1").status_code == 204
    Trace.objects.update(spans_pulled_at=clock.now())
    assert reviewer_client.get(f"{url(trace.trace_id)}?waiting=1").status_code == 200


def test_it_writes_nothing_for_a_waiting_page(
    reviewer_client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    trace = TraceFactory.create(project=project, pull_due_at=clock.now() + timedelta(seconds=5))
    with django_assert_max_num_queries(5) as queries:
        reviewer_client.get(f"{url(trace.trace_id)}?waiting=1")
    assert all(query["sql"].lstrip().startswith("SELECT") for query in queries.captured_queries)


def test_it_marks_our_unconfirmed_metadata(reviewer_client: Client, project: Project, trace: Trace) -> None:
    merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"score": 1, "environment": "test"})
    page = reviewer_client.get(f"{url(trace.trace_id)}?tab=metadata")
    assert page.text.count("the review desk, not confirmed yet") == 2
    assert "?m=environment%3Dtest" in page.text


@pytest.mark.parametrize(
    "text",
    [
        r'{"a":"\ud800"}', r'{"a":"\u0000"}', '{"a":{"b":["\\ud800"]}}', '{"a":1e400}', '{"a":' + "1" * 300 + "}",
        '{"a":"{' + "[" * 5_000 + '"}', '{"a":' + "[" * 60 + "]" * 60 + "}", '{"<script>":"<img src=x onerror=1>"}',
    ],
)  # fmt: skip
def test_it_escapes_hostile_metadata(reviewer_client: Client, trace: Trace, text: str) -> None:
    Trace.objects.update(metadata=text)
    page = reviewer_client.get(f"{url(trace.trace_id)}?tab=metadata")
    assert page.status_code == 200
    assert "<img src=x" not in page.text


def test_it_says_when_it_shows_only_a_part(reviewer_client: Client, trace: Trace) -> None:
    Trace.objects.update(is_cut=True)
    assert "This trace has more spans than are shown here." in reviewer_client.get(url(trace.trace_id)).text


def test_it_links_values_to_the_view_of_matching_traces(reviewer_client: Client, trace: Trace) -> None:
    Trace.objects.update(metadata=canonical_json.dumps({"plan & price": "a=b"}))
    assert "?m=plan+%26+price%3Da%3Db" in reviewer_client.get(url(trace.trace_id)).text


def test_it_runs_few_queries_for_many_spans(
    reviewer_client: Client, trace: Trace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        SpanFactory.create(trace=trace)
    with django_assert_max_num_queries(7):
        reviewer_client.get(url(trace.trace_id))


def test_it_shows_two_hundred_keys_at_a_time(reviewer_client: Client, project: Project) -> None:
    keys = {f"Key.{number:04}": number for number in range(450)}
    trace = TraceFactory.create(project=project, metadata=json.dumps(keys), spans_pulled_at="2026-11-22T10:00Z")
    page = partial(reviewer_client.get, f"/p/support/traces/{trace.trace_id}/")
    provenance = partial(reviewer_client.get, f"/p/support/deliveries/traces/{trace.trace_id}/metadata/")

    assert page({"tab": "metadata"}).text.count("<td><code>Key.") == 200
    for text in (page({"tab": "metadata", "from": "400"}).text, provenance({"from": "400"}).text):
        assert text.count("<td><code>Key.") == 50
        assert "Keys 401 to 450 of 450" in text
    for text in (page({"tab": "metadata", "key": "key.04"}).text, provenance({"key": "key.04"}).text):
        assert text.count("<td><code>Key.") == 50
    assert "No keys match" in page({"tab": "metadata", "key": "else", "from": "200"}).text
