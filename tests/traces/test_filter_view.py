"""Filter views: their URLs, and their pages without gaps or repeats."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import assume, given
from hypothesis import strategies as st

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.filter_models import Posting, Term
from reviewapp.traces.filters import paging
from reviewapp.traces.filters.filter_view import FilterView, read_view
from reviewapp.traces.filters.paging import PAGE_SIZE, get_page
from reviewapp.traces.metadata import index
from reviewapp.traces.metadata.pairs import FilterError, Pair
from reviewapp.traces.models import Trace
from tests.factories import TraceFactory

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x00="), min_size=1, max_size=8)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))


@given(
    pairs=st.lists(st.builds(Pair, KEYS.filter(str.strip), TEXTS), max_size=4, unique=True),
    since=MOMENTS,
    until=MOMENTS,
)
def test_it_reads_back_the_url_of_a_view(pairs: list[Pair], since: datetime | None, until: datetime | None) -> None:
    assume(since is None or until is None or since < until)
    view = FilterView(pairs, since, until)
    assert read_view(QueryDict(view.query)) == view


def test_it_writes_a_view_as_a_url() -> None:
    view = FilterView([Pair("a b", "x=y&m=z"), Pair("é", "")], NOON)
    assert view.query == "m=a+b%3Dx%3Dy%26m%3Dz&m=%C3%A9%3D&from=2026-11-22T12%3A00%3A00%2B00%3A00"
    assert FilterView().query == ""


def test_it_adds_a_condition_from_the_form_fields() -> None:
    view = read_view(QueryDict("m=a%3D1&key=b&value=2%3D3"))
    assert view.pairs == [Pair("a", "1"), Pair("b", "2=3")]


def test_it_links_to_the_view_without_each_condition() -> None:
    view = FilterView([Pair("a", "1"), Pair("b", "2")], NOON)
    (first, rest), _ = view.chips
    assert first == Pair("a", "1")
    assert read_view(QueryDict(rest)) == FilterView([Pair("b", "2")], NOON)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22", NOON.replace(hour=0)), ("2026-11-22T12:00", NOON), ("2026-11-22 12:00", NOON),
        ("2026-11-22T14:00:00+02:00", NOON), ("2026-11-22T14:00:00 02:00", NOON), ("2026-11-22T12:00:00Z", NOON),
        ("", None),
    ],
)  # fmt: skip
def test_it_reads_times_in_several_spellings(text: str, moment: datetime | None) -> None:
    query = QueryDict(mutable=True)
    query["from"] = text
    assert read_view(query).since == moment


@pytest.mark.parametrize(
    "query",
    [
        "m=a", "m=%3D1", "m=a%3D%00", "value=1", "key=a%3Db&value=1", "from=yesterday", "to=2026-13-01", "from=%00",
        "from=0001-01-01T00:00:00%2B23:00", "to=9999-12-31T23:59:59-23:00", "from=" + "9" * 5_000,
        "to=2026-11-22T25:00", "from=2026-11-30&to=2026-11-01",
        "&".join(f"m=k{number}%3D1" for number in range(13)),
    ],
)  # fmt: skip
def test_it_refuses_an_invalid_query_with_a_short_sentence(query: str) -> None:
    with pytest.raises(FilterError) as refusal:
        read_view(QueryDict(query))
    assert str(refusal.value).endswith(".")
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("pairs", [[], [Pair("k", "1")]], ids=["all", "filtered"])
def test_it_includes_the_start_of_the_range_but_not_its_end(project: Project, pairs: list[Pair]) -> None:
    inside = [create_trace(project, NOON), create_trace(project, NOON + timedelta(minutes=59))]
    create_trace(project, NOON - timedelta(microseconds=1))
    create_trace(project, NOON + timedelta(hours=1))
    view = FilterView(pairs, NOON, NOON + timedelta(hours=1))
    assert {trace.pk for trace in get_page(view, project, "").traces} == {trace.pk for trace in inside}


@pytest.mark.parametrize("pairs", [[], [Pair("k", "1")], [Pair("k", "1"), Pair("j", "x")]], ids=["all", "one", "two"])
def test_it_pages_through_every_trace_once_newest_first(project: Project, pairs: list[Pair]) -> None:
    # Most have the same start time, enough to fill several pages.
    for number in range(2 * PAGE_SIZE + 30):
        create_trace(project, NOON if number % 3 else NOON + timedelta(seconds=number % 5))
    pks = page_through(FilterView(pairs), project)
    expected = Trace.objects.filter(project=project).order_by("-start_time", "-pk")
    assert pks == [trace.pk for trace in expected]


def test_it_merges_two_spellings_of_a_value_in_order(project: Project) -> None:
    for number in range(PAGE_SIZE + 20):
        create_trace(project, NOON + timedelta(seconds=number % 7), '{"k":1}' if number % 2 else '{"k":"1"}')
    pks = page_through(FilterView([Pair("k", "1")]), project)
    assert pks == [trace.pk for trace in Trace.objects.order_by("-start_time", "-pk")]


def test_it_keeps_later_pages_when_a_new_trace_arrives(project: Project) -> None:
    for number in range(PAGE_SIZE + 5):
        create_trace(project, NOON + timedelta(seconds=number))
    first = get_page(FilterView(), project, "")
    create_trace(project, NOON + timedelta(days=1))
    second = get_page(FilterView(), project, first.older)
    assert len(second.traces) == 5
    assert second.older == ""


def test_it_does_not_link_to_an_empty_page_after_a_full_one(project: Project) -> None:
    for number in range(PAGE_SIZE):
        create_trace(project, NOON + timedelta(seconds=number))
    assert get_page(FilterView(), project, "").older == ""


@pytest.mark.parametrize(
    "cursor", ["x", "_", "2026-11-22_", "_5", "2026-11-22_x", "2026-11-22_²", f"2026-11-22_{10**18}"]
)
def test_it_refuses_an_incomplete_cursor(project: Project, cursor: str) -> None:
    with pytest.raises(FilterError, match="first page"):
        get_page(FilterView(), project, cursor)


def test_it_counts_up_to_a_thousand(project: Project) -> None:
    create_many(project, 1_000)
    assert (get_page(FilterView([Pair("k", "1")]), project, "").count, is_counted(project)) == (1_000, True)
    create_many(project, 1)
    assert (get_page(FilterView([Pair("k", "1")]), project, "").count, is_counted(project)) == (1_001, False)


@pytest.mark.parametrize("pairs", [[], [Pair("k", "1")], [Pair("k", "1"), Pair("j", "x")]], ids=["all", "one", "two"])
def test_it_runs_the_same_queries_for_more_traces(project: Project, pairs: list[Pair]) -> None:
    for number in range(PAGE_SIZE + 1):
        create_trace(project, NOON + timedelta(seconds=number))
    before = count_page_queries(project, pairs)
    for number in range(PAGE_SIZE):
        create_trace(project, NOON + timedelta(seconds=number))
    assert count_page_queries(project, pairs) == before


def test_it_reads_a_page_from_the_index_without_sorting(project: Project) -> None:
    create_many(project, 2_000)
    (term, _) = Term.objects.order_by("pk")
    plan = (
        Posting.objects.filter(term=term)
        .order_by("-start_time", "-trace")
        .values_list("start_time", "trace")[:51]
        .explain()
    )
    assert "posting_walked" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_it_scans_the_rarest_condition(project: Project) -> None:
    create_many(project, 200)
    rare = create_trace(project, NOON, '{"k":1,"rare":true}')
    index.fold_tallies()
    pairs = [Pair("k", "1"), Pair("rare", "true")]
    statement = str(index.matching(project, pairs).query)
    (term,) = Term.objects.filter(key="rare").values_list("pk", flat=True)
    assert f'"reviewapp_posting"."term_id" = {term} ' in statement
    assert [trace.pk for trace in get_page(FilterView(pairs), project, "").traces] == [rare.pk]


def create_trace(project: Project, start: datetime, metadata: str = '{"k":1,"j":"x"}') -> Trace:
    trace: Trace = TraceFactory.create(project=project, start_time=start, metadata=metadata)
    return trace


def create_many(project: Project, count: int) -> None:
    start = clock.now()
    rows = [
        TraceFactory.build(project=project, start_time=start + timedelta(seconds=number), metadata='{"k":1,"j":"x"}')
        for number in range(count)
    ]
    index.reindex(Trace.objects.bulk_create(rows))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE reviewapp_posting")


def page_through(view: FilterView, project: Project) -> list[int]:
    """The primary keys of all pages of a view."""
    pks: list[int] = []
    cursor = ""
    while True:
        page = get_page(view, project, cursor)
        pks += [trace.pk for trace in page.traces]
        cursor = page.older
        if not cursor:
            return pks


def is_counted(project: Project) -> bool:
    return get_page(FilterView(), project, "").is_counted


def count_page_queries(project: Project, pairs: list[Pair]) -> int:
    with CaptureQueriesContext(connection) as queries:
        paging.get_page(FilterView(pairs), project, "")
    return len(queries)


def test_it_includes_the_whole_day_of_the_end_date() -> None:
    assert read_view(QueryDict("to=2026-11-22")).until == datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=UTC)
