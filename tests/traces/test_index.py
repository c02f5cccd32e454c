"""The metadata index compared with reading every trace: matches, order and counts."""

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
from reviewapp.traces.filter_models import MetadataKey, Posting, Tally, Term
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import PAGE_SIZE, get_page
from reviewapp.traces.metadata import index, merge, suggestions
from reviewapp.traces.metadata.pairs import Pair, display_value
from reviewapp.traces.metadata.suggestions import Suggestion
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import storing
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
MEMBERS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(RAWS), max_size=4)
PAIRS = st.lists(st.builds(Pair, st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=3)
STEADY = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@STEADY
@given(
    pulls=st.lists(
        st.dictionaries(st.integers(0, 5), st.tuples(MEMBERS, st.integers(0, 2)), min_size=1), min_size=1, max_size=4
    ),
    patches=st.lists(st.tuples(st.integers(0, 5), MEMBERS), max_size=4),
    filters=st.lists(PAIRS, min_size=1, max_size=4),
    is_folded=st.booleans(),
)
def test_it_finds_counts_and_orders_as_reading_every_trace_would(
    db: None,
    pulls: list[dict[int, tuple[dict[str, str], int]]],
    patches: list[tuple[int, dict[str, str]]],
    filters: list[list[Pair]],
    is_folded: bool,
) -> None:
    project = ProjectFactory.create()
    for row_set in pulls:
        rows = [
            make_row(number, row_members, NOON + timedelta(seconds=seconds))
            for number, (row_members, seconds) in row_set.items()
        ]
        storing.store_traces(project, rows)
        if is_folded:
            index.fold_tallies()
    for number, values in patches:
        apply_patch_to(project, number, values)
    traces = list(Trace.objects.filter(project=project).pulled().order_by("-start_time", "-pk"))
    members = {trace.pk: merge.parse_members(trace.metadata) for trace in traces}
    for pairs in [*filters, *pairs_of_traces(members)]:
        expected = [pk for pk, raws in members.items() if all(is_match(raws.get(key), value) for key, value in pairs)]
        assert [trace.pk for trace in get_page(FilterView(pairs), project).traces] == expected
    assert_counts(project, members)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    samples=st.lists(st.tuples(MEMBERS, st.integers(0, 3)), min_size=3, max_size=7),
    pairs=PAIRS,
    until_seconds=st.none() | st.integers(1, 3),
)
def test_it_pages_in_both_directions_without_gaps(
    db: None, samples: list[tuple[dict[str, str], int]], pairs: list[Pair], until_seconds: int | None
) -> None:
    project = ProjectFactory.create()
    rows = []
    for number in range(130):
        members, seconds = samples[number % len(samples)]
        rows.append(make_row(number, members, NOON + timedelta(seconds=seconds)))
    storing.store_traces(project, rows)
    until = None if until_seconds is None else NOON + timedelta(seconds=until_seconds)
    traces = Trace.objects.filter(project=project, start_time__lt=until or datetime.max.replace(tzinfo=UTC))
    likely = [*pairs[:1], *[Pair(key, display_value(raw)) for key, raw in list(samples[0][0].items())[:2]]]
    for view in (FilterView([], None, until), FilterView(pairs, None, until), FilterView(likely, None, until)):
        expected = [
            trace.pk
            for trace in traces.order_by("-start_time", "-pk")
            if all(is_match(merge.parse_members(trace.metadata).get(key), value) for key, value in view.pairs)
        ]
        forward, backward = page_both_directions(view, project)
        assert forward == expected
        assert backward == expected


def test_it_signs_postings_of_an_older_release(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    (signed,) = set(Posting.objects.values_list("signature", flat=True))
    Posting.objects.filter(term__key="a").update(signature=Posting.UNSIGNED)
    Posting.objects.filter(term__key="b").update(signature=0)
    assert index.sign_postings() == 1
    assert set(Posting.objects.values_list("signature", flat=True)) == {signed}
    assert index.matching(project, [("a", "1"), ("b", "2")]).get().place == trace.pk
    assert index.sign_postings() == 0


def test_it_finds_unsigned_postings(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    Posting.objects.update(signature=Posting.UNSIGNED)
    assert index.matching(project, [("a", "1"), ("b", "2")]).get().place == trace.pk
    assert not index.matching(project, [("a", "1"), ("b", "1")]).exists()


def test_it_finds_a_patched_trace_by_old_and_new_members(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1}')
    merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"b": 2, "c": 3})
    assert len(set(Posting.objects.values_list("signature", flat=True))) == 1
    assert index.matching(project, [("a", "1"), ("b", "2"), ("c", "3")]).get().place == trace.pk


def test_it_finds_nothing_for_two_values_of_one_key(project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"a":1}')
    TraceFactory.create(project=project, metadata='{"a":2}')
    assert not index.matching(project, [("a", "1"), ("a", "2")]).exists()


def test_it_does_not_rewrite_unchanged_postings(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    with django_assert_num_queries(2):
        index.reindex([trace])


def test_it_queues_counts_as_tallies(project: Project) -> None:
    trace = TraceFactory.create(project=project)
    apply_patch_to(project, trace.trace_id.int, {"score": "1"})
    assert Term.objects.get().count == 0
    assert Tally.objects.get().delta == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_does_not_make_saves_of_the_same_value_wait() -> None:
    project = ProjectFactory.create()
    TraceFactory.create(project=project, metadata='{"score":1}')
    traces = [TraceFactory.create(project=project) for _ in range(2)]
    barrier = threading.Barrier(2)

    def save(trace: Trace) -> None:
        with transaction.atomic():
            merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"score": 1})
            # Neither has committed when both get here.
            barrier.wait(timeout=60)

    run_concurrently([partial(save, trace) for trace in traces])
    index.compact()
    assert Term.objects.get().count == 3


def test_it_adds_up_all_tallies(project: Project) -> None:
    term = Term.objects.create(project=project, key="a", value="1", digest="x")
    Tally.objects.bulk_create([Tally(term=term, delta=1) for _ in range(index.FOLD_BATCH_SIZE + 5)])
    index.compact()
    assert (Term.objects.get().count, MetadataKey.objects.get().count) == (
        index.FOLD_BATCH_SIZE + 5,
        index.FOLD_BATCH_SIZE + 5,
    )
    assert index.compact() == 0


def test_it_suggests_the_most_frequent_keys_first(project: Project, other_project: Project) -> None:
    for text in ('{"region":1}', '{"region":1,"Environment":2}'):
        TraceFactory.create(project=project, metadata=text)
    TraceFactory.create(project=other_project, metadata='{"theirs":1}')
    index.fold_tallies()
    assert suggestions.suggest_keys(project) == [Suggestion("region", 2), Suggestion("Environment", 1)]
    assert suggestions.suggest_keys(project, "ENV") == [Suggestion("Environment", 1)]


def test_it_suggests_values_as_they_are_written_in_a_filter(project: Project) -> None:
    for raw in ("1", '"1"', "1", '"us-west"', '"' + "x" * 300 + '"'):
        TraceFactory.create(project=project, metadata=f'{{"k":{raw}}}')
    index.fold_tallies()
    assert suggestions.suggest_values(project, "k") == [Suggestion("1", 3), Suggestion("us-west", 1)]
    assert suggestions.suggest_values(project, "k", "WEST") == [Suggestion("us-west", 1)]
    assert suggestions.suggest_values(project, "j") == []


def test_it_does_not_suggest_unused_keys_and_values(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"k":1}')
    index.set_members(project.pk, [(trace, {})])
    index.fold_tallies()
    assert (suggestions.suggest_keys(project), suggestions.suggest_values(project, "k")) == ([], [])


@pytest.mark.parametrize("parameter", ["before", "after"])
def test_it_shows_the_first_page_for_a_cursor_past_the_end(project: Project, parameter: str) -> None:
    trace = TraceFactory.create(project=project, start_time=NOON)
    moment = NOON - timedelta(days=1) if parameter == "before" else NOON + timedelta(days=1)
    page = get_page(FilterView(), project, **{parameter: f"{moment.isoformat()}_1"})
    assert (page.traces, page.newer, page.older) == ([trace], "", "")


def make_row(number: int, members: dict[str, str], start: datetime) -> TraceRow:
    return trace_row(UUID(int=number + 1), merge.dump_members(members), start_time=start)


def apply_patch_to(project: Project, number: int, members: dict[str, str]) -> None:
    with transaction.atomic():
        values = {key: json.loads(raw) for key, raw in members.items()}
        trace_id = UUID(int=number) if number > 5 else UUID(int=number + 1)
        merge.apply_patch(project, merge.lock_trace(project, trace_id), values)


def is_match(raw: str | None, value: str) -> bool:
    """Laminar's rule: the value is the stored string, or the stored JSON text."""
    return raw is not None and (
        normalise_string(raw) == normalise_string(value) or (raw[:1] == '"' and json.loads(raw) == value)
    )


def normalise_string(text: str) -> str:
    """A JSON string with normalised escapes, any other text unchanged."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False) if text.startswith('"') else text
    except ValueError:
        return text


def pairs_of_traces(members: dict[int, dict[str, str]]) -> list[list[Pair]]:
    """For each trace the conditions that match all of its members."""
    return [[Pair(key, display_value(raw)) for key, raw in raws.items()] for raws in members.values() if raws]


def page_both_directions(view: FilterView, project: Project) -> tuple[list[int], list[int]]:
    """The primary keys of all pages, forward to the oldest and backward to the newest."""
    page = get_page(view, project)
    forward = backward = [trace.pk for trace in page.traces]
    while page.older:
        page = get_page(view, project, before=page.older)
        forward = forward + [trace.pk for trace in page.traces]
        backward = [trace.pk for trace in page.traces]
    while page.newer:
        page = get_page(view, project, after=page.newer)
        assert len(page.traces) == PAGE_SIZE
        backward = [trace.pk for trace in page.traces] + backward
    return forward, backward


def assert_counts(project: Project, members: dict[int, dict[str, str]]) -> None:
    index.compact()
    terms = Counter(index.compute_digest(key, raw) for raws in members.values() for key, raw in raws.items())
    keys = Counter(key for raws in members.values() for key in raws)
    term_counts = Term.objects.filter(project=project, count__gt=0).values_list("digest", "count")
    assert dict(term_counts) == terms
    assert dict(MetadataKey.objects.filter(project=project, count__gt=0).values_list("name", "count")) == keys
    assert Posting.objects.filter(trace__project=project).count() == terms.total()
