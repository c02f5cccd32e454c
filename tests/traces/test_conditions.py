"""Conditions of a view beside its pairs: status, text, cost, session, user, tag and reviews."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.traces.filter_models import TraceTag
from reviewapp.traces.filters import search
from reviewapp.traces.filters.filter_view import read_view
from reviewapp.traces.filters.paging import PAGE_SIZE, count_traces, get_neighbours, get_page
from reviewapp.traces.filters.selection import select_view
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.traces.models import Trace
from tests.factories import QueueItemFactory, ReviewFactory, TraceFactory

pytestmark = pytest.mark.django_db


def find_names(project: Project, query: str, viewer: User | None = None) -> list[str]:
    """The names of the traces on the first page of this view, newest first."""
    return [trace.name for trace in get_page(read_view(QueryDict(query), viewer), project).traces]


def add_tag(trace: Trace, name: str) -> None:
    TraceTag.objects.create(
        project=trace.project, trace=trace, name=name, source=TraceTag.Source.ARRIVAL, start_time=trace.start_time
    )


@pytest.fixture
def traces(project: Project) -> None:
    """Three traces of one session and one of another project's, from oldest to newest."""
    fields = {"session_id": "s1", "user_id": "ann", "metadata": '{"tier":"pro"}'}
    TraceFactory.create(project=project, name="first", excerpt=("Where is my ORDER?", ""), total_cost=0.1, **fields)
    second = TraceFactory.create(project=project, name="second", excerpt=("", "Straße 5"), total_cost=0.5, **fields)
    third = TraceFactory.create(project=project, name="third", status="error", session_id="s1", user_id="bob")
    other = TraceFactory.create(name="stranger", status="error", session_id="s1", user_id="ann", excerpt=("order", ""))
    for trace in (second, third, other):
        add_tag(trace, "vip")
    add_tag(second, "beta")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("status=error", ["third"]), ("status=success", ["second", "first"]),
        ("session=s1", ["third", "second", "first"]),
        ("session=S1", []), ("user=ann", ["second", "first"]), ("tag=vip", ["third", "second"]),
        ("tag=vip&tag=beta", ["second"]), ("text=order", ["first"]), ("text=STRASSE", ["second"]),
        ("text=my+where", ["first"]), ("text=%25", []), ("min_cost=0.5", ["second"]),
        ("min_cost=0.05&max_cost=0.1", ["first"]), ("user=ann&m=tier%3Dpro&min_cost=0.2", ["second"]),
        ("m=tier%3Dpro&status=success&text=order", ["first"]), ("tag=vip&m=tier%3Dpro", ["second"]),
        ("status=error&sort=-cost", ["third"]), ("review=none", ["third", "second", "first"]), ("review=reviewed", []),
        ("session=s1&sort=start", ["first", "second", "third"]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("traces")
def test_it_finds_the_traces_that_meet_all_conditions(project: Project, query: str, names: list[str]) -> None:
    assert find_names(project, query) == names
    assert count_traces(read_view(QueryDict(query)), project) == len(names)


@pytest.mark.parametrize(
    "query",
    [
        "status=broken", "review=maybe", "min_cost=x", "min_cost=nan", "max_score=1e300", "min_score=1_0",
        "text=%00", "session=" + "a" * 301, "min_cost=2&max_cost=1", "tag=a&tag=b&tag=c&tag=d&tag=e&tag=f",
    ],
)  # fmt: skip
def test_it_refuses_a_condition_with_a_sentence(query: str) -> None:
    with pytest.raises(FilterError, match=r"\.$"):
        read_view(QueryDict(query))


def test_it_keeps_conditions_in_the_views_url() -> None:
    query = "m=a%3D1&status=error&text=no+answer&tag=vip&tag=a%2Cb"
    assert read_view(QueryDict(query)).query == query


@pytest.mark.parametrize("sort", ["", "&sort=start"])
def test_it_pages_through_a_search_without_gaps(project: Project, sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BATCH_SIZE", 20)
    monkeypatch.setattr(search, "MAX_EXAMINED", 40)
    start = clock.now() - timedelta(hours=1)
    for number in range(3 * PAGE_SIZE):
        name = f"match {number}" if number % 3 else "other"
        TraceFactory.create(project=project, name=name, start_time=start + timedelta(seconds=number))
    view = read_view(QueryDict(f"text=match{sort}"))
    page, names, pages = get_page(view, project), [], 1
    while True:
        names += [trace.name for trace in page.traces]
        if not page.older:
            break
        pages, page = pages + 1, get_page(view, project, before=page.older)
    assert len(names) == len(set(names)) == 2 * PAGE_SIZE
    assert pages > 2
    while page.newer:
        page = get_page(view, project, after=page.newer)
    assert page.traces[0].name == names[0]


def test_it_says_where_a_search_stopped(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BATCH_SIZE", 2)
    monkeypatch.setattr(search, "MAX_EXAMINED", 4)
    traces = [TraceFactory.create(project=project) for _ in range(5)]
    page = get_page(read_view(QueryDict("text=nowhere")), project)
    assert (page.traces, page.searched_to, bool(page.older)) == ([], traces[1].start_time, True)
    assert get_page(read_view(QueryDict("text=nowhere")), project, before=page.older).searched_to is None


def test_it_examines_a_bounded_number_of_traces(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BATCH_SIZE", 5)
    monkeypatch.setattr(search, "MAX_EXAMINED", 10)
    view = read_view(QueryDict("text=nowhere"))
    counts = []
    for _ in range(2):
        for _ in range(15):
            TraceFactory.create(project=project)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            get_page(view, project)
        counts.append(len(queries))
    assert counts[0] == counts[1]


# PostgreSQL reads so small a table as a whole.
@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("query", "index_name"),
    [("session=s1", "trace_of_session"), ("user=ann", "trace_of_user"), ("status=error", "trace_failed"),
     ("review=reviewed", "trace_queued"), ("tag=vip", "tag_newest_first")],
)  # fmt: skip
def test_it_reads_candidates_by_an_index(project: Project, query: str, index_name: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        get_page(read_view(QueryDict(query)), project)
    statements = [query["sql"] for query in queries]
    with connection.cursor() as cursor:
        plans = []
        for statement in statements:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
            plans += [row[3] for row in cursor.fetchall()]
    assert any(index_name in plan for plan in plans), plans


def make_review(queue: Queue, trace: Trace, reviewer: User, state: str = ItemState.COMPLETED, **fields: object) -> None:
    item = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id, state=state, version=1)
    ReviewFactory.create(item=item, reviewer=reviewer, **fields)
    Trace.objects.filter(pk=trace.pk).update(is_kept=True)


@pytest.fixture
def reviewed(project: Project, queue: Queue, reviewer: User, colleague: User) -> None:
    """Traces in a queue, named by the state of their review."""
    for name, who, state, fields in (
        ("good", reviewer, ItemState.COMPLETED, {"score": Decimal(1)}),
        ("bad", colleague, ItemState.COMPLETED, {"score": Decimal(0), "needs_review": True}),
        ("unsure", colleague, ItemState.PENDING, {"score": Decimal("0.5"), "is_unsure": True}),
    ):
        make_review(queue, TraceFactory.create(project=project, name=name), who, state, **fields)
    waiting = TraceFactory.create(project=project, name="waiting", is_kept=True)
    QueueItemFactory.create(queue=queue, trace_id=waiting.trace_id)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("review=reviewed", ["unsure", "bad", "good"]), ("review=flagged", ["bad"]), ("review=unsure", ["unsure"]),
        ("review=queued", ["waiting", "unsure"]), ("review=none", ["waiting"]),
        ("reviewer=colleague", ["unsure", "bad"]),
        ("min_score=0.5", ["unsure", "good"]), ("max_score=0.5&reviewer=colleague", ["unsure", "bad"]),
        ("review=queued&min_score=0", ["unsure"]), ("review=none&reviewer=colleague", ["waiting"]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("reviewed")
def test_it_finds_traces_by_their_reviews(project: Project, lead: User, query: str, names: list[str]) -> None:
    assert find_names(project, query, lead) == names


@pytest.mark.parametrize(
    "query", ["review=unsure", "review=reviewed", "reviewer=colleague", "min_score=0.5&max_score=0.5"]
)
@pytest.mark.usefixtures("reviewed")
def test_it_hides_an_answer_that_is_to_be_given_again(
    project: Project, reviewer: User, colleague: User, query: str
) -> None:
    view = read_view(QueryDict(query), reviewer)
    assert "unsure" not in [trace.name for trace in get_page(view, project).traces]
    assert count_traces(view, project) == len(get_page(view, project).traces)
    assert "unsure" in find_names(project, "review=none", reviewer)
    assert "unsure" in find_names(project, query, colleague)
    assert "unsure" not in find_names(project, query)


@pytest.mark.usefixtures("traces")
def test_it_steps_through_a_view(project: Project) -> None:
    view, trace = read_view(QueryDict("user=ann")), Trace.objects.get(name="first")
    before, after = get_neighbours(view, project, trace)
    assert (before and before.name, after) == ("second", None)
    before, after = get_neighbours(read_view(QueryDict("")), project, Trace.objects.get(name="second"))
    assert (before and before.name, after and after.name) == ("third", "first")


@pytest.mark.usefixtures("traces")
def test_it_selects_only_matching_traces_for_an_action(project: Project, lead: User) -> None:
    selection = select_view(project, read_view(QueryDict("status=error"), lead))
    assert [Trace.objects.get(pk=pk).name for pk in selection.pks] == ["third"]


@pytest.mark.usefixtures("reviewed")
def test_it_looks_up_reviews_in_few_queries(project: Project, lead: User) -> None:
    view = read_view(QueryDict("review=reviewed&reviewer=colleague"), lead)
    with CaptureQueriesContext(connection) as queries:
        get_page(view, project)
    assert len(queries) <= 8
    assert QueueItem.objects.count() == 4
