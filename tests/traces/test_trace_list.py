"""The page of a filter view: an address one can send, a count, and sentences for what cannot be read."""

import json
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.filters.paging import PAGE_SIZE
from reviewapp.traces.metadata import index
from reviewapp.traces.metadata.suggestions import Suggestion
from reviewapp.traces.models import Trace
from tests.factories import TraceFactory

URL = "/p/support/traces/"


def test_it_works(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project, name="answer", metadata='{"environment":"production"}')
    page = reviewer_client.get(URL)
    assert page.status_code == 200
    assert reverse("traces:trace-page", args=["support", trace.trace_id]) in page.text
    assert "production" in page.text


def test_it_is_not_there_for_an_outsider(outsider_client: Client, project: Project) -> None:
    assert outsider_client.get(URL).status_code == 404


def test_nobody_sees_it_without_signing_in(client: Client, project: Project) -> None:
    assert client.get(URL)["Location"].startswith("/accounts/login/")


def test_it_shows_no_other_projects_traces(reviewer_client: Client, project: Project, other_project: Project) -> None:
    TraceFactory.create(project=other_project, name="a stranger", metadata='{"k":1}')
    assert "a stranger" not in reviewer_client.get(URL).text
    assert reviewer_client.get(f"{URL}?m=k%3D1").context["found"].count == 0


def test_it_shows_what_holds_every_condition(reviewer_client: Client, project: Project) -> None:
    both = TraceFactory.create(project=project, metadata='{"a":1,"b":"x=y&z"}')
    TraceFactory.create(project=project, metadata='{"a":1}')
    page = reviewer_client.get(URL, {"m": ["a=1", "b=x=y&z"]})
    assert [trace.pk for trace in page.context["found"].traces] == [both.pk]
    assert "1 trace hold" in " ".join(page.text.split())


def test_a_condition_typed_into_the_form_becomes_part_of_the_address(reviewer_client: Client, project: Project) -> None:
    answer = reviewer_client.get(URL, {"m": "a=1", "key": "b", "value": "é=2", "from": "2026-11-01"})
    assert answer.status_code == 302
    assert answer["Location"] == (f"{URL}?m=a%3D1&m=b%3D%C3%A9%3D2&from=2026-11-01T00%3A00%3A00%2B00%3A00")
    assert reviewer_client.get(answer["Location"]).status_code == 200


def test_each_condition_has_a_link_that_takes_it_off(reviewer_client: Client, project: Project) -> None:
    page = reviewer_client.get(URL, {"m": ["a=1", "b=2"]})
    assert 'href="?m=b%3D2"' in page.text
    assert 'href="?m=a%3D1"' in page.text


def test_its_next_page_keeps_the_view(reviewer_client: Client, project: Project) -> None:
    start = clock.now()
    for number in range(PAGE_SIZE + 1):
        TraceFactory.create(project=project, start_time=start + timedelta(seconds=number), metadata='{"k":"a&b"}')
    page = reviewer_client.get(URL, {"m": "k=a&b"})
    older = page.context["found"].older
    assert f'href="?m=k%3Da%26b&amp;before={quote(older, safe="")}"' in page.text
    second = reviewer_client.get(f"{URL}?m=k%3Da%26b&before={quote(older, safe='')}")
    assert len(second.context["found"].traces) == 1
    newer = second.context["found"].newer
    assert f'href="?m=k%3Da%26b&amp;after={quote(newer, safe="")}"' in second.text
    first = reviewer_client.get(f"{URL}?m=k%3Da%26b&after={quote(newer, safe='')}")
    assert first.context["found"].traces == page.context["found"].traces


def test_it_says_when_nothing_is_found(reviewer_client: Client, project: Project) -> None:
    assert "No trace here holds this condition" in reviewer_client.get(f"{URL}?m=a%3D1").text
    assert "No trace has come from Laminar yet." in reviewer_client.get(URL).text


def test_it_says_more_than_when_it_stops_counting(reviewer_client: Client, project: Project) -> None:
    Trace.objects.bulk_create([TraceFactory.build(project=project) for _ in range(1_001)])
    assert "more than 1,000" in reviewer_client.get(URL).text


@pytest.mark.parametrize(
    "query",
    [
        "m=a", "m=%00%3D1", "m==", "value=1", "key=a%3Db", "from=x", "to=%00", "before=x", "before=%00_1", "before=_",
        "m=" + "a" * 5_000, "from=2026-11-22T00:00:00%2B99:00", "&".join(f"m=b{n}%3D1" for n in range(13)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_a_sentence(reviewer_client: Client, project: Project, query: str) -> None:
    page = reviewer_client.get(f"{URL}?{query}")
    assert page.status_code == 422
    assert page.context["error"].endswith(".")
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    "query",
    [
        "m=%FF%3D%FE", "m=a%3D%ED%A0%80", "m=" + "k" * 300 + "%3D" + "v" * 3_000, "from=0001-01-01", "to=9999-12-31",
        "key=%20&value=%20", "before=0001-01-01_1", "unknown=1", "m=%25%3D_", "m=%20%3D%20",
    ],
)  # fmt: skip
def test_what_is_odd_but_readable_shows_a_page(reviewer_client: Client, project: Project, query: str) -> None:
    TraceFactory.create(project=project, metadata='{"k":1}')
    assert reviewer_client.get(f"{URL}?{query}").status_code == 200


def test_htmx_gets_the_results_alone(reviewer_client: Client, project: Project) -> None:
    part = reviewer_client.get(URL, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="results"')


def test_what_a_trace_says_is_shown_as_text(reviewer_client: Client, project: Project) -> None:
    values = {"<script>alert(1)</script>": "<img src=x>", "\u202e": "\u200b"}
    TraceFactory.create(project=project, name="<b>bold</b>", metadata=canonical_json.dumps(values))
    page = reviewer_client.get(URL, {"m": "<i>a</i>=<u>b</u>"}).text + reviewer_client.get(URL).text
    for foreign in ("<script>alert", "<img src=x", "<b>bold", "<i>a", "<u>b", "\u202e", "\u200b"):
        assert foreign not in page


def test_a_value_with_half_a_character_does_not_break_the_page(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata=r'{"a":"\ud800","b":"\u0000"}')
    assert reviewer_client.get(URL).status_code == 200


def test_its_queries_do_not_grow_with_traces(
    reviewer_client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(PAGE_SIZE):
        TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    with django_assert_max_num_queries(9):
        reviewer_client.get(URL)
    with django_assert_max_num_queries(13):
        reviewer_client.get(URL, {"m": ["a=1", "b=2"]})


def test_it_shows_the_beginning_of_an_object(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(
        project=project, metadata=canonical_json.dumps({"order": {"number": 4471, "lines": ["x" * 50]}})
    )
    page = reviewer_client.get(URL).text
    assert "{&quot;lines&quot;:[&quot;xxxxxxx" in page
    assert "x" * 50 not in page


def test_it_says_which_condition_leaves_nothing(reviewer_client: Client, project: Project) -> None:
    for _ in range(2):
        TraceFactory.create(project=project, metadata='{"a":1}')
    page = reviewer_client.get(URL, {"m": ["a=1", "b=2"], "from": "2000-01-01"})
    assert [(str(pair), count) for pair, count, _ in page.context["alone"]] == [("a=1", 2), ("b=2", 0)]
    assert 'href="?m=a%3D1"' in page.text
    assert "it leaves nothing for the others" in page.text


def test_chosen_keys_are_columns(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"a":"x","b":2}')
    TraceFactory.create(project=project, metadata='{"b":{"c":[1]}}')
    page = reviewer_client.get(URL, {"c": ["b", "a"]})
    assert [cells for _, cells in page.context["rows"]] == [[("b", '{"c":[1]}'), ("a", "")], [("b", "2"), ("a", "x")]]
    assert '<th class="free">b</th><th class="free">a</th>' in page.text


def test_a_column_typed_into_the_form_becomes_part_of_the_address(reviewer_client: Client, project: Project) -> None:
    answer = reviewer_client.get(URL, {"c": "a", "column": " b ", "sort": "-cost"})
    assert answer["Location"] == f"{URL}?c=a&c=b&sort=-cost"
    page = reviewer_client.get(answer["Location"])
    assert 'href="?c=b&amp;sort=-cost"' in page.text


@pytest.mark.parametrize("query", ["&".join(f"c=k{n}" for n in range(7)), "c=%00"])
def test_columns_that_cannot_be_shown_are_told(reviewer_client: Client, project: Project, query: str) -> None:
    assert reviewer_client.get(f"{URL}?{query}").status_code == 422


def test_a_heading_says_its_order_and_leads_to_the_other(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project)
    page = reviewer_client.get(URL, {"sort": "-duration"}).text
    assert '<th class="num" aria-sort="descending"><a href="?sort=duration">Duration</a>' in page
    assert '<a href="?">Start</a>' in page
    assert "longest first" in page


def test_keys_and_values_are_offered_with_counts(reviewer_client: Client, project: Project) -> None:
    for value in ("production", "production", "staging"):
        TraceFactory.create(project=project, metadata=canonical_json.dumps({"environment": value, "other": 1}))
    index.compact()
    assert '<option value="environment">environment · 3 traces</option>' in reviewer_client.get(URL).text
    keys = reviewer_client.get(f"{URL}offers/", {"of": "key", "key": "VIR"}).text
    assert keys.strip() == '<option value="environment">environment · 3 traces</option>'
    values = reviewer_client.get(f"{URL}offers/", {"of": "value", "key": "environment", "value": "prod"}).text
    assert values.strip() == '<option value="production">production · 2 traces</option>'


def test_no_key_is_offered_that_its_field_cannot_ask_for(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata=canonical_json.dumps({"a=b": 1, " c": 1, "d" * 300: 1, "e": 1}))
    index.compact()
    assert reviewer_client.get(f"{URL}offers/").context["offers"] == [Suggestion("e", 1)]


@pytest.mark.parametrize(("field", "name"), [("key", "m"), ("column", "c")])
def test_a_key_is_stripped_only_where_no_trace_holds_it_as_typed(
    reviewer_client: Client, project: Project, field: str, name: str
) -> None:
    TraceFactory.create(project=project, metadata='{" a":1}')
    index.compact()
    value, end = {"m": ("1", "%3D1"), "c": ("", "")}[name]
    for typed, meant in ((" a", "+a"), ("a ", "a")):
        answer = reviewer_client.get(URL, {field: typed, "value": value})
        assert answer["Location"] == f"{URL}?{name}={meant}{end}"


def test_only_the_own_projects_values_are_offered(outsider_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"secret":1}')
    index.compact()
    assert outsider_client.get(f"{URL}offers/").status_code == 404
    assert "secret" not in outsider_client.get("/p/elsewhere/traces/offers/").text


def test_it_links_to_the_same_filter_in_laminar(reviewer_client: Client, project: Project) -> None:
    Project.objects.update(ui_url="https://laminar.test", laminar_id=UUID(int=7))
    there = reviewer_client.get(URL, {"m": ["a=x y", "b=2"], "from": "2026-11-01", "to": "2026-11-02"}).context["there"]
    place, _, query = there.partition("?")
    asked = QueryDict(query)
    assert place == f"https://laminar.test/project/{UUID(int=7)}/traces"
    assert [json.loads(text) for text in asked.getlist("filter")] == [
        {"column": "metadata", "operator": "eq", "value": value} for value in ("a=x y", "b=2")
    ]
    assert asked["startDate"] == "2026-11-01T00:00:00.000000Z"
    assert asked["endDate"] == "2026-11-02T23:59:59.999999Z"
    assert reviewer_client.get(URL).context["there"].endswith("?pastHours=all")


@pytest.mark.parametrize("pair", ["a=b=c", "a="])
def test_it_says_why_laminar_cannot_ask_for_it(reviewer_client: Client, project: Project, pair: str) -> None:
    Project.objects.update(ui_url="https://laminar.test", laminar_id=UUID(int=7))
    page = reviewer_client.get(URL, {"m": pair})
    assert page.context["there"] == ""
    assert "own filter cannot ask for this view" in page.text


def test_a_view_whose_traces_all_run_still_says_so(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"a":1}', end_time=None)
    assert "No trace of this view has an end yet." in reviewer_client.get(URL, {"sort": "duration"}).text
    assert "Each condition alone" not in reviewer_client.get(URL, {"m": "a=2"}).text
