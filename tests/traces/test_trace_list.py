"""The trace list: filters in its URL, counts, columns, suggestions and errors."""

import html
import json
import re
import runpy
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

import pytest
from django.conf import settings
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.filter_models import TraceTag
from reviewapp.traces.filters.filter_view import MAX_QUERY_LENGTH
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


def test_it_refuses_outsiders(outsider_client: Client, project: Project) -> None:
    assert outsider_client.get(URL).status_code == 404


def test_it_refuses_anonymous_users(client: Client, project: Project) -> None:
    assert client.get(URL)["Location"].startswith("/accounts/login/")


def test_it_hides_traces_of_other_projects(reviewer_client: Client, project: Project, other_project: Project) -> None:
    TraceFactory.create(project=other_project, name="a stranger", metadata='{"k":1}')
    assert "a stranger" not in reviewer_client.get(URL).text
    assert reviewer_client.get(f"{URL}?m=k%3D1").context["page"].count == 0


def test_it_shows_traces_that_match_every_condition(reviewer_client: Client, project: Project) -> None:
    both = TraceFactory.create(project=project, metadata='{"a":1,"b":"x=y&z"}')
    TraceFactory.create(project=project, metadata='{"a":1}')
    page = reviewer_client.get(URL, {"m": ["a=1", "b=x=y&z"]})
    assert [trace.pk for trace in page.context["page"].traces] == [both.pk]
    assert "1 trace matches all" in " ".join(page.text.split())


def test_it_redirects_a_condition_from_the_form_to_the_views_url(reviewer_client: Client, project: Project) -> None:
    response = reviewer_client.get(URL, {"m": "a=1", "key": "b", "value": "é=2", "from": "2026-11-01"})
    assert response.status_code == 302
    assert response["Location"] == (f"{URL}?m=a%3D1&m=b%3D%C3%A9%3D2&from=2026-11-01T00%3A00%3A00%2B00%3A00")
    assert reviewer_client.get(response["Location"]).status_code == 200


def test_it_links_to_the_view_without_each_condition(reviewer_client: Client, project: Project) -> None:
    page = reviewer_client.get(URL, {"m": ["a=1", "b=2"]})
    assert 'href="?m=b%3D2"' in page.text
    assert 'href="?m=a%3D1"' in page.text


def test_it_keeps_the_view_on_the_next_page(reviewer_client: Client, project: Project) -> None:
    start = clock.now()
    for number in range(PAGE_SIZE + 1):
        TraceFactory.create(project=project, start_time=start + timedelta(seconds=number), metadata='{"k":"a&b"}')
    page = reviewer_client.get(URL, {"m": "k=a&b"})
    older = page.context["page"].older
    assert f'href="?m=k%3Da%26b&amp;before={quote(older, safe="")}"' in page.text
    second = reviewer_client.get(f"{URL}?m=k%3Da%26b&before={quote(older, safe='')}")
    assert len(second.context["page"].traces) == 1
    newer = second.context["page"].newer
    assert f'href="?m=k%3Da%26b&amp;after={quote(newer, safe="")}"' in second.text
    first = reviewer_client.get(f"{URL}?m=k%3Da%26b&after={quote(newer, safe='')}")
    assert first.context["page"].traces == page.context["page"].traces


def test_it_says_when_nothing_matches(reviewer_client: Client, project: Project) -> None:
    assert "No trace matches this condition" in reviewer_client.get(f"{URL}?m=a%3D1").text
    assert "No traces yet." in reviewer_client.get(URL).text


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
def test_it_refuses_an_invalid_query_with_a_sentence(reviewer_client: Client, project: Project, query: str) -> None:
    page = reviewer_client.get(f"{URL}?{query}")
    assert page.status_code == 422
    assert page.context["error"].endswith(".")
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    "query",
    [
        "m=" + "k" * 300 + "%3D" + "v" * 3_000, "from=0001-01-01", "to=9999-12-31",
        "key=%20&value=%20", "before=0001-01-01_1", "unknown=1", "m=%25%3D_", "m=%20%3D%20",
    ],
)  # fmt: skip
def test_it_accepts_unusual_queries(reviewer_client: Client, project: Project, query: str) -> None:
    TraceFactory.create(project=project, metadata='{"k":1}')
    assert reviewer_client.get(f"{URL}?{query}").status_code == 200


@pytest.mark.parametrize("query", ["m=%FF%3D%FE", "m=a%3D%ED%A0%80"])
def test_it_refuses_a_query_that_is_not_utf8(reviewer_client: Client, project: Project, query: str) -> None:
    page = reviewer_client.get(f"{URL}?{query}")
    assert page.status_code == 400
    assert "UTF-8" in page.text


def test_it_returns_only_the_results_to_htmx(reviewer_client: Client, project: Project) -> None:
    fragment = reviewer_client.get(URL, headers={"HX-Request": "true"})
    assert fragment.text.lstrip().startswith('<div id="results"')


def test_it_escapes_names_keys_and_values(reviewer_client: Client, project: Project) -> None:
    values = {"<script>alert(1)</script>": "<img src=x>", "\u202e": "\u200b"}
    TraceFactory.create(project=project, name="<b>bold</b>", metadata=canonical_json.dumps(values))
    page = reviewer_client.get(URL, {"m": "<i>a</i>=<u>b</u>"}).text + reviewer_client.get(URL).text
    for foreign in ("<script>alert", "<img src=x", "<b>bold", "<i>a", "<u>b", "\u202e", "\u200b"):
        assert foreign not in page


def test_it_shows_a_value_with_a_lone_surrogate(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata=r'{"a":"\ud800","b":"\u0000"}')
    assert reviewer_client.get(URL).status_code == 200


def test_it_runs_few_queries_for_many_traces(
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


def test_it_shows_what_each_condition_matches_alone(reviewer_client: Client, project: Project) -> None:
    for _ in range(2):
        TraceFactory.create(project=project, metadata='{"a":1}')
    page = reviewer_client.get(URL, {"m": ["a=1", "b=2"], "from": "2000-01-01"})
    assert [(str(pair), count) for pair, count, _ in page.context["condition_counts"]] == [("a=1", 2), ("b=2", 0)]
    assert 'href="?m=a%3D1"' in page.text
    assert "so the conditions together match nothing" in page.text


def test_it_shows_keys_as_columns(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"a":"x","b":2}')
    TraceFactory.create(project=project, metadata='{"b":{"c":[1]}}')
    page = reviewer_client.get(URL, {"c": ["b", "a"]})
    assert [cells for _, cells in page.context["rows"]] == [[("b", '{"c":[1]}'), ("a", "")], [("b", "2"), ("a", "x")]]
    assert re.findall(r'<th class="free">(.*?)</th>', page.text) == ["b", "a"]


def test_it_redirects_a_column_from_the_form_to_the_views_url(reviewer_client: Client, project: Project) -> None:
    response = reviewer_client.get(URL, {"c": "a", "column": " b ", "sort": "-cost"})
    assert response["Location"] == f"{URL}?c=a&c=b&sort=-cost"
    page = reviewer_client.get(response["Location"])
    assert 'href="?c=b&amp;sort=-cost"' in page.text


@pytest.mark.parametrize("query", ["&".join(f"c=k{n}" for n in range(7)), "c=%00"])
def test_it_refuses_invalid_columns(reviewer_client: Client, project: Project, query: str) -> None:
    assert reviewer_client.get(f"{URL}?{query}").status_code == 422


def test_it_links_headings_to_the_opposite_order(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project)
    page = reviewer_client.get(URL, {"sort": "-duration"}).text
    assert re.search(r'<th class="num" aria-sort="descending">\s*<a href="\?sort=duration">Duration</a>', page)
    assert '<a href="?">Start</a>' in page
    assert "longest first" in page


def test_it_suggests_keys_and_values_with_counts(reviewer_client: Client, project: Project) -> None:
    for value in ("production", "production", "staging"):
        TraceFactory.create(project=project, metadata=canonical_json.dumps({"environment": value, "other": 1}))
    index.compact()
    assert Suggestion("environment", 3) in reviewer_client.get(URL).context["key_suggestions"]
    keys = reviewer_client.get(f"{URL}offers/", {"of": "key", "key": "VIR"}).text
    assert " ".join(keys.split()) == '<option value="environment" >environment · 3 traces</option>'
    values = reviewer_client.get(f"{URL}offers/", {"of": "value", "key": "environment", "value": "prod"}).text
    assert " ".join(values.split()) == '<option value="production" >production · 2 traces</option>'


def test_it_does_not_suggest_keys_that_cannot_be_typed(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata=canonical_json.dumps({"a=b": 1, " c": 1, "d" * 300: 1, "e": 1}))
    index.compact()
    assert reviewer_client.get(f"{URL}offers/").context["suggestions"] == [Suggestion("e", 1)]


@pytest.mark.parametrize(("field", "name"), [("key", "m"), ("column", "c")])
def test_it_strips_a_key_unless_a_trace_has_it_as_typed(
    reviewer_client: Client, project: Project, field: str, name: str
) -> None:
    TraceFactory.create(project=project, metadata='{" a":1}')
    index.compact()
    value, end = {"m": ("1", "%3D1"), "c": ("", "")}[name]
    for typed, key in ((" a", "+a"), ("a ", "a")):
        response = reviewer_client.get(URL, {field: typed, "value": value})
        assert response["Location"] == f"{URL}?{name}={key}{end}"


def test_it_does_not_suggest_values_of_other_projects(outsider_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"secret":1}')
    index.compact()
    assert outsider_client.get(f"{URL}offers/").status_code == 404
    assert "secret" not in outsider_client.get("/p/elsewhere/traces/offers/").text


def test_it_links_to_the_same_filter_in_laminar(reviewer_client: Client, project: Project) -> None:
    Project.objects.update(ui_url="https://laminar.test", laminar_id=UUID(int=7))
    page = reviewer_client.get(URL, {"m": ["a=x y", "b=2"], "from": "2026-11-01", "to": "2026-11-02"})
    url, _, query = page.context["laminar_filter_url"].partition("?")
    params = QueryDict(query)
    assert url == f"https://laminar.test/project/{UUID(int=7)}/traces"
    assert [json.loads(text) for text in params.getlist("filter")] == [
        {"column": "metadata", "operator": "eq", "value": value} for value in ("a=x y", "b=2")
    ]
    assert params["startDate"] == "2026-11-01T00:00:00.000000Z"
    assert params["endDate"] == "2026-11-02T23:59:59.999999Z"
    assert reviewer_client.get(URL).context["laminar_filter_url"].endswith("?pastHours=all")


@pytest.mark.parametrize("pair", ["a=b=c", "a=", 'a"b=c', "a\\b=c", "a\nb=c"])
def test_it_explains_a_missing_laminar_link(reviewer_client: Client, project: Project, pair: str) -> None:
    Project.objects.update(ui_url="https://laminar.test", laminar_id=UUID(int=7))
    page = reviewer_client.get(URL, {"m": pair})
    assert page.context["laminar_filter_url"] == ""
    assert page.context["no_link_reason"].startswith("No link to Laminar: ")
    assert page.context["no_link_reason"] in html.unescape(page.text)


def test_it_says_when_no_trace_has_ended(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"a":1}', end_time=None)
    assert "No trace in this view has ended yet." in reviewer_client.get(URL, {"sort": "duration"}).text
    assert "Each condition alone" not in reviewer_client.get(URL, {"m": "a=2"}).text


FILTER = "/p/support/traces/filter/"


def test_it_filters_by_a_long_value(reviewer_client: Client, project: Project) -> None:
    value = "漢" * 480
    response = reviewer_client.post(FILTER, {"key": "note", "value": value, "m": "tier=pro", "from": "", "to": ""})

    assert response.status_code == 302
    assert 4_300 < len(response["Location"]) < 8_000
    assert "tier=pro" in reviewer_client.get(response["Location"]).context["view"].query.replace("%3D", "=")


def test_it_says_that_a_filter_is_too_long_and_keeps_what_is_typed(reviewer_client: Client, project: Project) -> None:
    value = "漢" * 1_000
    response = reviewer_client.post(FILTER, {"key": "note", "value": value, "m": "tier=pro"})
    content = response.content.decode()

    assert response.status_code == 422
    assert "This filter is too long for a URL" in content
    assert value in content
    assert 'name="m" value="tier=pro"' in content


def test_it_applies_a_time_range_without_a_condition(reviewer_client: Client, project: Project) -> None:
    response = reviewer_client.post(FILTER, {"key": "", "value": "", "from": "2026-11-01", "to": ""})

    assert response.status_code == 302
    assert "from=2026-11-01" in response["Location"]


def test_it_lets_the_server_read_the_longest_filter() -> None:
    config = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))

    # 0: gunicorn has no limit of its own.
    assert config["limit_request_line"] == 0 or config["limit_request_line"] >= MAX_QUERY_LENGTH + 50 * 45 + 200


def test_it_shows_question_answer_and_tags_in_one_line(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(
        project=project, excerpt=("Where is <it>?", "In Paris."), session_id="s&1", user_id="ann"
    )
    TraceTag.objects.create(project=project, trace=trace, name="a/b", source=TraceTag.Source.LAMINAR)
    page = reviewer_client.get(URL).text
    for text in ("Where is &lt;it&gt;?", "In Paris.", "?session=s%261&amp;sort=start", "?user=ann", "?tag=a%2Fb"):
        assert text in page


def test_it_links_a_trace_with_its_view(reviewer_client: Client, project: Project) -> None:
    traces = [TraceFactory.create(project=project, metadata='{"k":"a b"}') for _ in range(3)]
    link = f"{URL}{traces[1].trace_id}/?in=m%3Dk%253Da%2Bb%26status%3Dsuccess"
    assert f'href="{link}"' in reviewer_client.get(f"{URL}?m=k%3Da+b&status=success").text
    page = reviewer_client.get(link).text
    for rel, trace in (("prev", traces[2]), ("next", traces[0])):
        assert re.search(rf'rel="{rel}"[^>]*/{trace.trace_id}/\?in=', page)


@pytest.mark.parametrize("view", ["m=x", "status=no", "%00", "before=x&sort=zz"])
def test_it_opens_a_trace_whatever_the_view(reviewer_client: Client, project: Project, view: str) -> None:
    trace = TraceFactory.create(project=project)
    assert reviewer_client.get(f"{URL}{trace.trace_id}/", {"in": view}).status_code == 200


def test_it_redirects_conditions_from_the_form_to_the_views_url(reviewer_client: Client, project: Project) -> None:
    typed = {
        "m": "a=1",
        "text": " no  answer ",
        "status": "error",
        "tag": ["vip", "beta"],
        "min_cost": "0.5",
        "user": "",
    }
    response = reviewer_client.post(FILTER, typed)
    assert response["Location"] == f"{URL}?m=a%3D1&status=error&text=no+answer&min_cost=0.5&tag=vip&tag=beta"
    assert 'href="?m=a%3D1&amp;text=no+answer' in reviewer_client.get(response["Location"]).text


def test_it_keeps_what_is_typed_in_a_refused_condition(reviewer_client: Client, project: Project) -> None:
    page = reviewer_client.post(FILTER, {"m": "tier=pro", "min_cost": "cheap", "text": "refund"})
    assert page.status_code == 422
    for field in ('value="cheap"', 'value="refund"', 'name="m" value="tier=pro"'):
        assert field in page.text
