"""Views that the mirror does not cover are answered by Laminar, and the page names its source."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.filters import laminar_source
from reviewapp.traces.filters.paging import INVALID_CURSOR, PAGE_SIZE
from reviewapp.traces.models import Watermark
from tests.factories import LaminarKeyFactory, TraceFactory
from tests.worker.running import FakeLaminar, fake_laminar

URL = "/p/support/traces/"
Responder = Any
Response = Any


def connect(project: Project, server: FakeLaminar) -> None:
    project.base_url = server.url
    project.save()
    LaminarKeyFactory.create(project=project)
    Watermark.objects.create(
        project=project,
        base_url=project.base_url,
        listed_until=clock.now(),
        complete_since=clock.now() - timedelta(days=7),
    )


def open_view(client: Client, url: str) -> Response:
    """Open a view as a person without JavaScript does: if its page does not have the answer, ask Laminar."""
    page = client.get(url)
    link = re.search(r'<a href="([^"]*)">Ask Laminar</a>', page.text)
    return page if link is None else client.get(unescape(link[1]))


def make_rows(count: int, start: str = "2026-11-01 10:00:00.000000000") -> list[dict[str, object]]:
    return [
        {
            "id": f"00000000-0000-0000-0000-{number:012}", "start_time": start, "end_time": start,
            "metadata": '{"env":"test"}', "top_span_name": f"<i>{number}",
        }
        for number in range(count)
    ]  # fmt: skip


def respond_with(rows: list[dict[str, object]]) -> Responder:
    return lambda path, body: (200, {"data": rows[: body["parameters"]["limit"]]})


@pytest.mark.parametrize("query", ["source=laminar", "from=2020-01-01", "to=2020-01-01", "m=env%3Dtest&source=laminar"])
def test_it_queries_laminar_before_the_mirror_begins(reviewer_client: Client, project: Project, query: str) -> None:
    with fake_laminar(respond_with(make_rows(1))) as server:
        connect(project, server)
        page = open_view(reviewer_client, f"{URL}?{query}")
    assert page.context["source"].is_laminar
    assert "Results from Laminar" in page.text
    assert "&lt;i&gt;0" in page.text
    assert "not in the mirror" in page.text


def test_it_renders_the_page_before_it_asks_laminar(
    reviewer_client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with fake_laminar(respond_with(make_rows(1))) as server:
        connect(project, server)
        with django_assert_max_num_queries(8):
            page = reviewer_client.get(f"{URL}?m=env%3Dtest&c=env&source=laminar&before=2026-11-01T11:00:00_0")
        assert server.requests == []
        (url,) = re.findall(r'hx-get="([^"]*)" hx-trigger="load" hx-target="#results"', page.text)
        answer = reviewer_client.get(unescape(url), headers={"HX-Request": "true"})
        (_, _, body) = server.requests[0]
    assert answer.text.lstrip().startswith('<div id="results">')
    assert "&lt;i&gt;0" in answer.text
    assert {"key0": "env", "value0": "test"}.items() <= body["parameters"].items()
    assert "2026-11-01 11:00:00.000001" in body["parameters"].values()


@pytest.mark.parametrize("query", ["m=a%3D1", "source=mirror&from=2020-01-01", "from=2999-01-01"])
def test_it_queries_the_mirror_otherwise(reviewer_client: Client, project: Project, query: str) -> None:
    with fake_laminar(respond_with([])) as server:
        connect(project, server)
        page = reviewer_client.get(f"{URL}?{query}")
    assert not page.context["source"].is_laminar
    assert "Results from the mirror" in page.text
    assert server.requests == []


def test_it_queries_laminar_for_the_same_pairs(reviewer_client: Client, project: Project) -> None:
    with fake_laminar(respond_with([])) as server:
        connect(project, server)
        page = open_view(reviewer_client, f"{URL}?m=a%3D1&m=b%3Dx%3Dy&source=laminar").text
        (_, _, body) = server.requests[0]
    assert "Laminar has no traces in this view" in page
    assert {"key0": "a", "value0": "1", "key1": "b", "value1": "x=y"}.items() <= body["parameters"].items()


def test_it_pages_through_traces_with_equal_start_times(reviewer_client: Client, project: Project) -> None:
    seen: list[str] = []
    with fake_laminar(respond_with(make_rows(2 * PAGE_SIZE + 5))) as server:
        connect(project, server)
        url = f"{URL}?source=laminar"
        for _ in range(3):
            page = open_view(reviewer_client, url).text
            seen += re.findall(r"&lt;i&gt;(\d+)", page)
            url = get_link(page, "Older")
    assert [int(number) for number in seen] == list(range(2 * PAGE_SIZE + 5))
    assert url == URL


def test_it_shows_the_error_and_the_mirror_when_laminar_fails(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, name="from the mirror")
    with fake_laminar(lambda path, body: (429, None)) as server:
        connect(project, server)
        page = open_view(reviewer_client, f"{URL}?source=laminar").text
    assert "Laminar is limiting requests" in page
    assert "from the mirror" in page


@pytest.mark.parametrize(("kind", "words"), [("", "no Laminar key"), ("ingest-only", "ingest-only")])
def test_it_names_a_missing_or_unreadable_key(reviewer_client: Client, project: Project, kind: str, words: str) -> None:
    if kind:
        LaminarKeyFactory.create(project=project, kind=kind)
    assert words in open_view(reviewer_client, f"{URL}?source=laminar").text


def test_it_waits_at_most_ten_seconds() -> None:
    assert laminar_source.DEADLINE <= 10


@pytest.mark.parametrize("cursor", ["2026-11-01T10:00:00_99999", "9999-12-31T23:59:59.999999_0"])
def test_it_refuses_an_invalid_cursor(reviewer_client: Client, project: Project, cursor: str) -> None:
    LaminarKeyFactory.create(project=project)
    response = reviewer_client.get(f"{URL}?source=laminar&before={cursor}")
    assert (response.status_code, response.context["error"]) == (422, INVALID_CURSOR)


def test_it_links_to_the_page_of_a_mirrored_trace(
    reviewer_client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows = make_rows(PAGE_SIZE)
    trace = TraceFactory.create(project=project, trace_id=str(rows[0]["id"]))
    with fake_laminar(respond_with(rows)) as server, django_assert_max_num_queries(14):
        connect(project, server)
        page = reviewer_client.get(f"{URL}laminar/?source=laminar").text
    assert f'href="{URL}{trace.trace_id}/"' in page


def get_link(page: str, name: str) -> str:
    """The URL of the link with this text, URL alone if there is none."""
    return URL + "".join(re.findall(rf'<a\s+href="(?:{URL})?(\?[^"]*)"\s*>{name}</a>', page)).replace("&amp;", "&")


@pytest.mark.parametrize("sort", ["", "&sort=-duration"])
@pytest.mark.parametrize("status", [200, 429])
def test_it_pages_within_the_mirror(reviewer_client: Client, project: Project, status: int, sort: str) -> None:
    traces = TraceFactory.create_batch(PAGE_SIZE + 1, project=project, duration=1.0)
    first = f"{URL}?from=2020-01-01{sort}{'&source=mirror' if status == 200 else ''}"
    next_label, previous_label = ("Next", "Previous") if sort else ("Older", "Newer")
    with fake_laminar(lambda path, body: (status, {"data": []})) as server:
        connect(project, server)
        page = open_view(reviewer_client, first)
        request_count = len(server.requests)
        older = reviewer_client.get(get_link(page.text, next_label))
        newer = reviewer_client.get(get_link(older.text, previous_label))
    assert {row[0].pk for row in (*page.context["rows"], *older.context["rows"])} == {trace.pk for trace in traces}
    assert newer.context["rows"] == page.context["rows"]
    assert len(server.requests) == request_count


def test_it_keeps_a_mirror_cursor_in_the_mirror(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=8))
    with fake_laminar(respond_with(make_rows(1))) as server:
        connect(project, server)
        page = reviewer_client.get(f"{URL}?from=2020-01-01&before={clock.now().isoformat().replace('+', '%2B')}_5000")
    assert (page.status_code, len(page.context["rows"]), server.requests) == (200, 1, [])


def test_it_drops_laminars_cursor_when_laminar_fails(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, duration=1.0)
    with fake_laminar(lambda path, body: (429, None)) as server:
        connect(project, server)
        page = open_view(reviewer_client, f"{URL}?sort=-duration&source=laminar&before=2026-11-01T10:00:00_50")
    assert (page.status_code, len(page.context["rows"])) == (200, 1)


def test_it_keeps_the_source_when_sorting(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project)
    with fake_laminar(respond_with([])) as server:
        connect(project, server)
        page = reviewer_client.get(f"{URL}?from=2020-01-01&source=mirror").text
    assert get_link(page, "Duration") == f"{URL}?source=mirror&from=2020-01-01T00%3A00%3A00%2B00%3A00&sort=-duration"


def test_it_shows_columns_and_the_laminar_link_for_laminars_results(reviewer_client: Client, project: Project) -> None:
    project.ui_url, project.laminar_id = "https://laminar.test", UUID(int=7)
    with fake_laminar(respond_with(make_rows(1))) as server:
        connect(project, server)
        page = open_view(reviewer_client, f"{URL}?to=2020-01-01&c=env&c=none")
        plain = open_view(reviewer_client, f"{URL}?source=laminar&m=env%3D%3D")
    assert [cells for _, cells in page.context["rows"]] == [[("env", "test"), ("none", "")]]
    assert "available only in the mirror" in page.text
    assert f'href="{escape(page.context["laminar_filter_url"])}"' in page.text
    assert plain.context["no_link_reason"] in plain.text
    assert plain.context["no_link_reason"]


def test_it_adds_a_column_to_laminars_results(reviewer_client: Client, project: Project) -> None:
    with fake_laminar(respond_with(make_rows(1))) as server:
        connect(project, server)
        page = open_view(reviewer_client, f"{URL}?source=laminar").text
    assert page.count('<input type="hidden" name="source" value="laminar">') == 2
    response = reviewer_client.get(f"{URL}?source=laminar&column=env")
    assert response["Location"] == f"{URL}?source=laminar&c=env"


def test_it_saves_a_view_answered_by_laminar(reviewer_client: Client, project: Project) -> None:
    form_data = {"name": "long ago", "query": "to=2020-01-01T00%3A00%3A00%2B00%3A00"}
    with fake_laminar(respond_with(make_rows(1))) as server:
        connect(project, server)
        assert "Save this view" in reviewer_client.get(f"{URL}?{form_data['query']}").text
        saved = reviewer_client.post(f"{URL}views/save/", form_data, follow=True)
        again = reviewer_client.post(f"{URL}views/save/", form_data)
    assert "View saved." in saved.text
    assert "Rename or delete “long ago”" in saved.text
    assert (again.status_code, again.context["is_duplicate"]) == (422, True)


def test_it_leaves_out_only_the_rows_that_cannot_be_read(reviewer_client: Client, project: Project) -> None:
    rows = make_rows(PAGE_SIZE + 1)
    rows[3]["total_tokens"] = 1.08e19
    with fake_laminar(respond_with(rows)) as server:
        connect(project, server)
        page = open_view(reviewer_client, f"{URL}?source=laminar")
    assert len(page.context["source"].rows) == PAGE_SIZE
    assert "1 trace of this page could not be read" in " ".join(page.text.split())
    assert page.context["source"].older
