"""Lists sorted by other columns: all traces by an index, a filtered view by its newest traces."""

from datetime import timedelta

import pytest
from django.http import QueryDict
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.filters import paging
from reviewapp.traces.filters.filter_view import FilterView, read_view
from reviewapp.traces.filters.paging import PAGE_SIZE, get_page
from reviewapp.traces.metadata.pairs import FilterError, Pair
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import storing
from tests.factories import TraceFactory
from tests.traces.rows import trace_row

URL = "/p/support/traces/"
FIELDS = {"duration": "duration", "cost": "total_cost", "tokens": "total_tokens", "start": "start_time"}
VIEWS = {"all": (), "filtered": (Pair("k", "1"),)}


@pytest.fixture
def many(project: Project) -> None:
    """More than a page of traces, many of them with equal values."""
    start = clock.now()
    for number in range(PAGE_SIZE + 7):
        TraceFactory.create(
            project=project, metadata='{"k":1}', start_time=start + timedelta(seconds=number // 3),
            end_time=start + timedelta(seconds=number // 3, milliseconds=number * 7 % 5), total_tokens=number * 5 % 7,
            total_cost=number * 3 % 8 / 10,
        )  # fmt: skip


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("sort", [*FIELDS, *(f"-{name}" for name in FIELDS)])
@pytest.mark.parametrize("name", VIEWS)
def test_it_pages_in_both_directions_in_every_order(project: Project, sort: str, name: str) -> None:
    view = FilterView(VIEWS[name], sort="" if sort == "-start" else sort)
    first = get_page(view, project)
    second = get_page(view, project, before=first.older)
    pks = [trace.pk for trace in first.traces + second.traces]
    sign, field = ("-" if sort.startswith("-") else ""), FIELDS[sort.removeprefix("-")]
    assert pks == list(Trace.objects.order_by(f"{sign}{field}", f"{sign}pk").values_list("pk", flat=True))
    assert get_page(view, project, after=second.newer).traces == first.traces


def test_it_leaves_out_running_traces_when_sorted_by_duration(project: Project) -> None:
    ended = TraceFactory.create(project=project, metadata='{"k":1}')
    TraceFactory.create(project=project, metadata='{"k":1}', end_time=None)
    for pairs in VIEWS.values():
        page = get_page(FilterView(pairs, sort="-duration"), project)
        assert (page.traces, page.count) == ([ended], 2)


def test_it_hides_traces_of_other_projects(project: Project, other_project: Project) -> None:
    TraceFactory.create(project=other_project, metadata='{"k":1}')
    assert get_page(FilterView(sort="-cost"), project).traces == []


def test_it_stores_the_duration_of_a_trace(project: Project) -> None:
    row = trace_row()
    storing.store_traces(project, [row])
    assert Trace.objects.get().duration == pytest.approx(1.876543, abs=1e-5)
    storing.store_traces(project, [trace_row(row.id, end_time="2026-11-22 10:00:09.123456000")])
    assert Trace.objects.get().duration == pytest.approx(9, abs=1e-5)


def test_it_sorts_the_newest_traces_of_a_large_view(project: Project, lead_client: Client) -> None:
    rows = [TraceFactory.build(project=project, total_tokens=n) for n in range(paging.MAX_SORTED + 1)]
    rows[0].total_tokens = 10**9
    Trace.objects.bulk_create(rows)
    page = lead_client.get(URL, {"from": "2000-01-01", "sort": "-tokens"})
    assert page.context["page"].traces[0].total_tokens == paging.MAX_SORTED
    assert "the newest 5,000" in page.text
    assert "the newest 5,000" not in lead_client.get(URL, {"sort": "-tokens"}).text


def test_it_ignores_an_unknown_order() -> None:
    assert read_view(QueryDict("sort=metadata")) == read_view(QueryDict("sort=-start")) == FilterView([])


@pytest.mark.parametrize("cursor", ["x_1", "nan_1", "inf_1", "_1", "1e999_1", "1"])
def test_it_refuses_an_incomplete_cursor(project: Project, cursor: str) -> None:
    with pytest.raises(FilterError):
        get_page(FilterView(sort="-cost"), project, before=cursor)
