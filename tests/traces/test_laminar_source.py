"""A view that reaches past the mirror is answered by Laminar, and the page says who answered."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.filters import laminar_source
from reviewapp.traces.filters.paging import PAGE_SIZE
from reviewapp.traces.models import Watermark
from tests.factories import LaminarKeyFactory, TraceFactory
from tests.worker.running import FakeLaminar, fake_laminar

URL = "/p/support/traces/"
Script = Any


def connect(project: Project, far: FakeLaminar) -> None:
    project.base_url = far.url
    project.save()
    LaminarKeyFactory.create(project=project)
    Watermark.objects.create(
        project=project,
        base_url=project.base_url,
        listed_until=clock.now(),
        complete_since=clock.now() - timedelta(days=7),
    )


def rows(number: int, start: str = "2026-11-01 10:00:00.000000000") -> list[dict[str, object]]:
    return [
        {
            "id": f"00000000-0000-0000-0000-{at:012}", "start_time": start, "end_time": start,
            "metadata": '{"env":"test"}', "top_span_name": f"<i>{at}",
        }
        for at in range(number)
    ]  # fmt: skip


def answering(found: list[dict[str, object]]) -> Script:
    return lambda path, body: (200, {"data": found[: body["parameters"]["limit"]]})


@pytest.mark.parametrize("query", ["source=laminar", "from=2020-01-01", "to=2020-01-01", "m=env%3Dtest&source=laminar"])
def test_laminar_answers_what_reaches_past_the_mirror(reviewer_client: Client, project: Project, query: str) -> None:
    with fake_laminar(answering(rows(1))) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?{query}").text
    assert "Answered by Laminar itself" in page
    assert "&lt;i&gt;0" in page
    assert "not in the mirror" in page


@pytest.mark.parametrize("query", ["m=a%3D1", "source=mirror&from=2020-01-01", "from=2999-01-01"])
def test_the_mirror_answers_all_else(reviewer_client: Client, project: Project, query: str) -> None:
    with fake_laminar(answering([])) as far:
        connect(project, far)
        assert "Answered by the mirror" in reviewer_client.get(f"{URL}?{query}").text
    assert far.requests == []


def test_the_same_pairs_are_asked_for(reviewer_client: Client, project: Project) -> None:
    with fake_laminar(answering([])) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?m=a%3D1&m=b%3Dx%3Dy&source=laminar").text
        (_, _, body) = far.requests[0]
    assert "Laminar has no trace in this view" in page
    assert {"key0": "a", "value0": "1", "key1": "b", "value1": "x=y"}.items() <= body["parameters"].items()


def test_its_pages_lose_none_that_began_in_one_moment(reviewer_client: Client, project: Project) -> None:
    seen: list[str] = []
    with fake_laminar(answering(rows(2 * PAGE_SIZE + 5))) as far:
        connect(project, far)
        url = f"{URL}?source=laminar"
        for _ in range(3):
            page = reviewer_client.get(url).text
            seen += re.findall(r"&lt;i&gt;(\d+)", page)
            url = URL + "".join(re.findall(r'<a href="(\?[^"]*before=[^"]*)">Older', page)).replace("&amp;", "&")
    assert [int(number) for number in seen] == list(range(2 * PAGE_SIZE + 5))
    assert url == URL


def test_a_fault_is_told_and_the_mirror_shown(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, name="from the mirror")
    with fake_laminar(lambda path, body: (429, None)) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?source=laminar").text
    assert "Laminar asks to slow down" in page
    assert "from the mirror" in page


@pytest.mark.parametrize(("kind", "words"), [("", "no Laminar key"), ("ingest-only", "ingest-only")])
def test_a_key_that_may_not_read_is_told(reviewer_client: Client, project: Project, kind: str, words: str) -> None:
    if kind:
        LaminarKeyFactory.create(project=project, kind=kind)
    assert words in reviewer_client.get(f"{URL}?source=laminar").text


def test_it_waits_no_longer_than_a_person_does() -> None:
    assert laminar_source.DEADLINE <= 10


@pytest.mark.parametrize("cursor", ["2026-11-01T10:00:00_99999", "9999-12-31T23:59:59.999999_0"])
def test_an_address_that_was_cut_is_told(reviewer_client: Client, project: Project, cursor: str) -> None:
    LaminarKeyFactory.create(project=project)
    answer = reviewer_client.get(f"{URL}?source=laminar&before={cursor}")
    assert (answer.status_code, "cut short" in answer.text) == (422, True)


def test_a_trace_of_the_mirror_is_read_here(
    reviewer_client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    shown = rows(PAGE_SIZE)
    trace = TraceFactory.create(project=project, trace_id=str(shown[0]["id"]))
    with fake_laminar(answering(shown)) as far, django_assert_max_num_queries(14):
        connect(project, far)
        page = reviewer_client.get(f"{URL}?source=laminar").text
    assert f'href="{URL}{trace.trace_id}/"' in page


def link(page: str, name: str) -> str:
    """Where the link of this name among a page's pages leads."""
    return URL + "".join(re.findall(rf'<a href="(\?[^"]*)">{name}</a>', page)).replace("&amp;", "&")


@pytest.mark.parametrize("sort", ["", "&sort=-duration"])
@pytest.mark.parametrize("status", [200, 429])
def test_the_mirror_pages_what_it_answered(reviewer_client: Client, project: Project, status: int, sort: str) -> None:
    traces = TraceFactory.create_batch(PAGE_SIZE + 1, project=project, duration=1.0)
    first = f"{URL}?from=2020-01-01{sort}{'&source=mirror' if status == 200 else ''}"
    onward, back = ("Next", "Previous") if sort else ("Older", "Newer")
    with fake_laminar(lambda path, body: (status, {"data": []})) as far:
        connect(project, far)
        page = reviewer_client.get(first)
        asked = len(far.requests)
        older = reviewer_client.get(link(page.text, onward))
        newer = reviewer_client.get(link(older.text, back))
    assert {row[0].pk for row in (*page.context["rows"], *older.context["rows"])} == {trace.pk for trace in traces}
    assert newer.context["rows"] == page.context["rows"]
    assert len(far.requests) == asked


def test_a_cursor_of_the_mirror_is_never_read_as_laminars(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, start_time=clock.now() - timedelta(days=8))
    with fake_laminar(answering(rows(1))) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?from=2020-01-01&before={clock.now().isoformat().replace('+', '%2B')}_5000")
    assert (page.status_code, len(page.context["rows"]), far.requests) == (200, 1, [])


def test_where_laminar_fails_its_cursor_is_not_the_mirrors(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, duration=1.0)
    with fake_laminar(lambda path, body: (429, None)) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?sort=-duration&source=laminar&before=2026-11-01T10:00:00_50")
    assert (page.status_code, len(page.context["rows"])) == (200, 1)


def test_another_order_is_asked_of_whom_answered(reviewer_client: Client, project: Project) -> None:
    TraceFactory.create(project=project)
    with fake_laminar(answering([])) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?from=2020-01-01&source=mirror").text
    assert '<a href="?source=mirror&amp;from=2020-01-01T00%3A00%3A00%2B00%3A00&amp;sort=-duration">Duration</a>' in page


def test_what_laminar_answers_has_columns_and_the_link_there(reviewer_client: Client, project: Project) -> None:
    project.ui_url, project.laminar_id = "https://laminar.test", UUID(int=7)
    with fake_laminar(answering(rows(1))) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?to=2020-01-01&c=env&c=none")
        plain = reviewer_client.get(f"{URL}?source=laminar&m=env%3D%3D").text
    assert [cells for _, cells in page.context["rows"]] == [[("env", "test"), ("none", "")]]
    assert "Only the mirror sorts and counts a view" in page.text
    assert "Open this filter in Laminar" in page.text
    assert "own filter cannot ask for this view" in plain


def test_a_column_is_added_to_what_laminar_answers(reviewer_client: Client, project: Project) -> None:
    with fake_laminar(answering(rows(1))) as far:
        connect(project, far)
        page = reviewer_client.get(f"{URL}?source=laminar").text
    assert page.count('<input type="hidden" name="source" value="laminar">') == 2
    answer = reviewer_client.get(f"{URL}?source=laminar&column=env")
    assert answer["Location"] == f"{URL}?source=laminar&c=env"


def test_a_view_that_laminar_answers_is_saved(reviewer_client: Client, project: Project) -> None:
    said = {"name": "long ago", "query": "to=2020-01-01T00%3A00%3A00%2B00%3A00"}
    with fake_laminar(answering(rows(1))) as far:
        connect(project, far)
        assert "Save this view" in reviewer_client.get(f"{URL}?{said['query']}").text
        saved = reviewer_client.post(f"{URL}views/save/", said, follow=True)
        again = reviewer_client.post(f"{URL}views/save/", said)
    assert "The view is saved." in saved.text
    assert "Rename or delete “long ago”" in saved.text
    assert (again.status_code, "Choose another name" in again.text) == (422, True)
