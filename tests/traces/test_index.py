"""The index against reading every trace: what it finds, in which order, and what it counts."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.laminar import TraceRow
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import PAGE_SIZE, get_page
from reviewapp.traces.metadata import index, merge, suggestions
from reviewapp.traces.metadata.pairs import Pair, display_value
from reviewapp.traces.metadata.suggestions import Suggestion
from reviewapp.traces.models import MetadataKey, Posting, Tally, Term, Trace
from reviewapp.traces.sync import pull
from tests.factories import ProjectFactory, TraceFactory
from tests.threads import run_concurrently
from tests.traces.rows import trace_row

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = ["a", "b", "é", 'q"q', "c.d"]
RAWS = [
    "1", "1.0", "1e0", "10", "-0.5", "1e-7", "true", "false", "null", '"1"', '"1.0"', '"true"', '"null"', '""', '" "',
    '"a=b"', r'"\u00e9"', '"é"', r'"e\u0301"', r'"\ud83d\ude00"', '"😀"', r'"\"1\""', r'"a\\b"', r'"a\nb"', "[]",
    '["1",1]', '{"a":1}', '{"a":{"a":"1"}}',
]  # fmt: skip
VALUES = [*RAWS, "", " ", "é", "😀", "a=b", '"1"', 'a"b', "a\\b", "a\nb", "01", "True", '"', '"\\']
HELD = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(RAWS), max_size=4)
PAIRS = st.lists(st.builds(Pair, st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=3)
STEADY = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@STEADY
@given(
    pulls=st.lists(
        st.dictionaries(st.integers(0, 5), st.tuples(HELD, st.integers(0, 2)), min_size=1), min_size=1, max_size=4
    ),
    patches=st.lists(st.tuples(st.integers(0, 5), HELD), max_size=4),
    asked=st.lists(PAIRS, min_size=1, max_size=4),
    is_folded=st.booleans(),
)
def test_it_finds_counts_and_orders_as_reading_every_trace_would(
    db: None,
    pulls: list[dict[int, tuple[dict[str, str], int]]],
    patches: list[tuple[int, dict[str, str]]],
    asked: list[list[Pair]],
    is_folded: bool,
) -> None:
    project = ProjectFactory.create()
    for row_set in pulls:
        rows = [_row(number, held, NOON + timedelta(seconds=at)) for number, (held, at) in row_set.items()]
        pull.store_traces(project, rows)
        if is_folded:
            index.fold_tallies()
    for number, held in patches:
        _patch(project, number, held)
    traces = list(Trace.objects.filter(project=project).pulled().order_by("-start_time", "-pk"))
    members = {trace.pk: merge.parse_members(trace.metadata) for trace in traces}
    for pairs in [*asked, *_near(members)]:
        expected = [pk for pk, held in members.items() if all(_holds(held.get(key), value) for key, value in pairs)]
        assert [trace.pk for trace in get_page(FilterView(pairs), project).traces] == expected
    _assert_counted(project, members)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.tuples(HELD, st.integers(0, 3)), min_size=3, max_size=7),
    pairs=PAIRS,
    span=st.none() | st.integers(1, 3),
)
def test_its_pages_go_both_ways_without_a_gap(
    db: None, kinds: list[tuple[dict[str, str], int]], pairs: list[Pair], span: int | None
) -> None:
    project = ProjectFactory.create()
    rows = [_row(n, kinds[n % len(kinds)][0], NOON + timedelta(seconds=kinds[n % len(kinds)][1])) for n in range(130)]
    pull.store_traces(project, rows)
    until = None if span is None else NOON + timedelta(seconds=span)
    traces = Trace.objects.filter(project=project, start_time__lt=until or datetime.max.replace(tzinfo=UTC))
    chosen = [*pairs[:1], *[Pair(key, display_value(raw)) for key, raw in list(kinds[0][0].items())[:2]]]
    for view in (FilterView([], None, until), FilterView(pairs, None, until), FilterView(chosen, None, until)):
        expected = [
            trace.pk
            for trace in traces.order_by("-start_time", "-pk")
            if all(_holds(merge.parse_members(trace.metadata).get(key), value) for key, value in view.pairs)
        ]
        down, up = _walked(view, project)
        assert down == expected
        assert up == expected


def test_an_older_releases_posting_is_found_and_then_signed(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    (signed,) = set(Posting.objects.values_list("signature", flat=True))
    Posting.objects.filter(term__key="a").update(signature=Posting.UNSIGNED)
    Posting.objects.filter(term__key="b").update(signature=0)
    assert index.sign_postings() == 1
    assert set(Posting.objects.values_list("signature", flat=True)) == {signed}
    assert index.matching(project, [("a", "1"), ("b", "2")]).get().place == trace.pk
    assert index.sign_postings() == 0


def test_an_unsigned_posting_is_taken_for_one_that_may_hold_anything(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    Posting.objects.update(signature=Posting.UNSIGNED)
    assert index.matching(project, [("a", "1"), ("b", "2")]).get().place == trace.pk
    assert not index.matching(project, [("a", "1"), ("b", "1")]).exists()


def test_what_a_patch_adds_is_found_from_what_was_there(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1}')
    merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"b": 2, "c": 3})
    assert len(set(Posting.objects.values_list("signature", flat=True))) == 1
    assert index.matching(project, [("a", "1"), ("b", "2"), ("c", "3")]).get().place == trace.pk


def test_two_values_of_one_key_are_never_together(project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"a":1}')
    TraceFactory.create(project=project, metadata='{"a":2}')
    assert not index.matching(project, [("a", "1"), ("a", "2")]).exists()


def test_what_stays_as_it_is_is_not_written_again(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    with django_assert_num_queries(2):
        index.reindex([trace])


def test_a_save_writes_no_row_that_others_write_too(project: Project) -> None:
    trace = TraceFactory.create(project=project)
    _patch(project, trace.trace_id.int, {"score": "1"})
    assert Term.objects.get().count == 0
    assert Tally.objects.get().delta == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_saves_of_the_same_value_do_not_wait_for_each_other() -> None:
    project = ProjectFactory.create()
    TraceFactory.create(project=project, metadata='{"score":1}')
    traces = [TraceFactory.create(project=project) for _ in range(2)]
    both = threading.Barrier(2)

    def save(trace: Trace) -> None:
        with transaction.atomic():
            merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"score": 1})
            # Neither has committed, and both have come as far as here.
            both.wait(timeout=10)

    run_concurrently([partial(save, trace) for trace in traces])
    index.compact()
    assert Term.objects.get().count == 3


def test_tending_adds_up_whatever_waits(project: Project) -> None:
    term = Term.objects.create(project=project, key="a", value="1", digest="x")
    Tally.objects.bulk_create([Tally(term=term, delta=1) for _ in range(index.FOLD_BATCH_SIZE + 5)])
    index.compact()
    assert (Term.objects.get().count, MetadataKey.objects.get().count) == (
        index.FOLD_BATCH_SIZE + 5,
        index.FOLD_BATCH_SIZE + 5,
    )
    assert index.compact() == 0


def test_it_offers_keys_the_most_held_first(project: Project, other_project: Project) -> None:
    for text in ('{"region":1}', '{"region":1,"Environment":2}'):
        TraceFactory.create(project=project, metadata=text)
    TraceFactory.create(project=other_project, metadata='{"theirs":1}')
    index.fold_tallies()
    assert suggestions.suggest_keys(project) == [Suggestion("region", 2), Suggestion("Environment", 1)]
    assert suggestions.suggest_keys(project, "ENV") == [Suggestion("Environment", 1)]


def test_it_offers_values_as_one_writes_them(project: Project) -> None:
    for raw in ("1", '"1"', "1", '"us-west"', '"' + "x" * 300 + '"'):
        TraceFactory.create(project=project, metadata=f'{{"k":{raw}}}')
    index.fold_tallies()
    assert suggestions.suggest_values(project, "k") == [Suggestion("1", 3), Suggestion("us-west", 1)]
    assert suggestions.suggest_values(project, "k", "WEST") == [Suggestion("us-west", 1)]
    assert suggestions.suggest_values(project, "j") == []


def test_it_offers_nothing_that_no_trace_holds_any_more(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"k":1}')
    index.set_members(project.pk, [(trace, {})])
    index.fold_tallies()
    assert (suggestions.suggest_keys(project), suggestions.suggest_values(project, "k")) == ([], [])


@pytest.mark.parametrize("places", [{"before": 1}, {"after": 1}], ids=["before", "after"])
def test_a_cursor_beyond_the_end_leads_to_the_newest(project: Project, places: dict[str, int]) -> None:
    trace = TraceFactory.create(project=project, start_time=NOON)
    moment = NOON - timedelta(days=1) if "before" in places else NOON + timedelta(days=1)
    page = get_page(FilterView(), project, **{name: f"{moment.isoformat()}_1" for name in places})
    assert (page.traces, page.newer, page.older) == ([trace], "", "")


def _row(number: int, held: dict[str, str], start: datetime) -> TraceRow:
    return trace_row(UUID(int=number + 1), merge.dump_members(held), start_time=start)


def _patch(project: Project, number: int, held: dict[str, str]) -> None:
    with transaction.atomic():
        values = {key: json.loads(raw) for key, raw in held.items()}
        trace_id = UUID(int=number) if number > 5 else UUID(int=number + 1)
        merge.apply_patch(project, merge.lock_trace(project, trace_id), values)


def _holds(raw: str | None, value: str) -> bool:
    """Laminar's rule: the value is the stored string, or the stored JSON text."""
    return raw is not None and (_plain(raw) == _plain(value) or (raw[:1] == '"' and json.loads(raw) == value))


def _plain(text: str) -> str:
    """A JSON string in its one spelling, anything else as it stands."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False) if text.startswith('"') else text
    except ValueError:
        return text


def _near(members: dict[int, dict[str, str]]) -> list[list[Pair]]:
    """Conditions that hold for some trace: all of its own."""
    return [[Pair(key, display_value(raw)) for key, raw in held.items()] for held in members.values() if held]


def _walked(view: FilterView, project: Project) -> tuple[list[int], list[int]]:
    """The primary keys on all pages to the oldest, and on the way back."""
    page = get_page(view, project)
    down = up = [trace.pk for trace in page.traces]
    while page.older:
        page = get_page(view, project, before=page.older)
        down = down + [trace.pk for trace in page.traces]
        up = [trace.pk for trace in page.traces]
    while page.newer:
        page = get_page(view, project, after=page.newer)
        assert len(page.traces) == PAGE_SIZE
        up = [trace.pk for trace in page.traces] + up
    return down, up


def _assert_counted(project: Project, members: dict[int, dict[str, str]]) -> None:
    index.compact()
    terms = Counter(index.compute_digest(key, raw) for held in members.values() for key, raw in held.items())
    keys = Counter(key for held in members.values() for key in held)
    counted = Term.objects.filter(project=project, count__gt=0).values_list("digest", "count")
    assert dict(counted) == terms
    assert dict(MetadataKey.objects.filter(project=project, count__gt=0).values_list("name", "count")) == keys
    assert Posting.objects.filter(trace__project=project).count() == terms.total()
