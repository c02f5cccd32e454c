"""All metadata keys of a project: what they hold, who sets them, and what is unwise about them."""

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
from reviewapp.traces.models import MetadataChange
from reviewapp.traces.sync import pull
from tests.factories import TraceFactory
from tests.queries import count_queries
from tests.traces.rows import trace_row

URL = "/p/support/traces/keys/"


def key(project: Project, name: str, *raws: str) -> KeySummary:
    """The registry's entry of a key that traces hold with these values, as JSON texts."""
    for raw in raws:
        TraceFactory.create(project=project, metadata=merge.dump_members({name: raw}))
    index.compact()
    (found,) = [one for one in registry.get_page(project).keys if one.name == name]
    return found


def test_it_counts_traces_and_values(project: Project, other_project: Project) -> None:
    TraceFactory.create(project=other_project, metadata='{"env":"foreign"}')
    found = key(project, "env", '"live"', '"live"', '"test"')
    assert (found.count, found.distinct_count, found.has_more, found.findings) == (3, 2, False, [])
    assert [(value.text, value.count) for value in found.values] == [("live", 2), ("test", 1)]


def test_it_tells_since_when(project: Project) -> None:
    first = TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=9), metadata='{"a":1}')
    last = TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=2), metadata='{"a":2}')
    found = key(project, "a")
    assert (found.first_at, found.last_at) == (first.start_time, last.start_time)


@pytest.mark.parametrize(
    ("raws", "words"),
    [
        (("1", '"1"', "1.0"), "several types (whole number, text, number with a point)"),
        (('{"a":1}',), "are objects"),
        (('[{"a":1}]',), "are objects"),
        (('"ann@example.org"',), "an e-mail address"),
        (tuple(map(str, range(registry.TOO_MANY_VALUES + 1))), "more than 100 different values"),
    ],
    ids=["types", "object", "list", "personal data", "crowded"],
)
def test_it_points_at_a_poor_key(project: Project, raws: tuple[str, ...], words: str) -> None:
    (finding,) = key(project, "k", *raws).findings
    assert words in finding


@pytest.mark.parametrize("raws", [("1", "null"), ("true", "false"), ('["a"]',), ("-5", "12")])
def test_it_leaves_a_good_key_alone(project: Project, raws: tuple[str, ...]) -> None:
    assert key(project, "k", *raws).findings == []


def test_it_points_at_two_spellings_of_a_name(project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"feature_flag":"a"}')
    (finding,) = key(project, "featureFlag", '"a"').findings
    assert "“feature_flag”" in finding


def test_it_tells_who_changed_a_value_and_that_it_flips(project: Project) -> None:
    for at in range(registry.MIN_FLIPS):
        for raw in ("1", "2"):
            pull.store_traces(
                project, [trace_row(UUID(int=at), merge.dump_members({"step": raw}), end_time=clock.now())]
            )
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, UUID(int=0)), {"step": 3}, patch_id=1)
    found = key(project, "step")
    assert found.set_by == [("the application, in flight", 2), ("us", 1)]
    assert "in 2 traces" in " ".join(found.findings)


def test_it_does_not_call_changes_of_long_after_the_end_a_flip(project: Project) -> None:
    for at in range(registry.MIN_FLIPS):
        for raw in ("1", "2"):
            ended = clock.now() - timedelta(days=20)
            pull.store_traces(project, [trace_row(UUID(int=at), merge.dump_members({"step": raw}), end_time=ended)])
    found = key(project, "step")
    assert (found.set_by, found.findings) == ([("somebody else", 2)], [])


@pytest.mark.parametrize(("more", "words"), [(0, "unchanged since"), (1, "not changed of late")])
def test_it_claims_nothing_of_changes_older_than_it_looks(
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
    assert [said for said in ("unchanged since", "not changed of late") if said in page] == [words]


def test_very_many_values_are_not_all_looked_at(project: Project) -> None:
    rows = [trace_row(metadata=json.dumps({"id": number})) for number in range(registry.MAX_VALUES + 5)]
    pull.store_changed(project, rows)
    found = key(project, "id")
    assert (found.distinct_count, found.has_more, found.first_at) == (registry.MAX_VALUES, True, None)


def test_the_page_shows_keys_in_pages_and_by_a_part(lead_client: Client, project: Project) -> None:
    names = {f"key-{number:02}": number for number in range(registry.PAGE_SIZE + 1)}
    TraceFactory.create(project=project, metadata=json.dumps(names, separators=(",", ":")))
    index.compact()
    page = lead_client.get(URL).text
    assert ("key-00" in page, "key-25" in page, "start=25" in page) == (True, False, True)
    assert "key-25" in lead_client.get(URL, {"start": 25}).text
    assert "key-25" in lead_client.get(URL, {"part": "KEY-25"}).text


def test_what_a_key_says_is_shown_as_text(lead_client: Client, project: Project) -> None:
    key(project, "<b>bold</b>", '"<script>alert(1)</script>"', '"\u202e"')
    page = lead_client.get(URL).text
    assert not any(foreign in page for foreign in ("<b>bold", "<script>alert", "\u202e"))


@pytest.mark.parametrize("query", [{}, {"part": "\x00"}, {"start": "-1"}, {"start": "9" * 400}, {"part": "x" * 900}])
def test_an_empty_page_is_a_page(lead_client: Client, project: Project, query: dict[str, str]) -> None:
    assert lead_client.get(URL, query).status_code == 200


def test_reviewers_and_outsiders_do_not_see_it(
    reviewer_client: Client, outsider_client: Client, project: Project
) -> None:
    assert (reviewer_client.get(URL).status_code, outsider_client.get(URL).status_code) == (403, 404)


def test_its_queries_do_not_grow_with_keys(lead_client: Client, project: Project) -> None:
    key(project, "a", "1")
    few = count_queries(lambda: lead_client.get(URL))
    for number in range(10):
        key(project, f"k{number}", "1", "2", "3")
    assert count_queries(lambda: lead_client.get(URL)) == few
