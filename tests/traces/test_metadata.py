"""The mirror's metadata and its index: found by Laminar's own rule of equality, and always in step."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json
from reviewapp.traces.metadata import index, merge, pairs
from reviewapp.traces.metadata.pairs import FilterError, Pair
from reviewapp.traces.models import Posting, Term, Trace
from tests.factories import ProjectFactory, TraceFactory

# Laminar's table: what is stored, and a filter's value.
FOUND = [
    ("1", "1"), ("1.0", "1.0"), ("true", "true"), ('"1"', "1"), ('"1"', '"1"'), ('"true"', "true"), ("null", "null"),
    ('"null"', "null"), ('"a=b"', "a=b"), ('["a","b"]', '["a","b"]'), ('{"a":1}', '{"a":1}'), (r'"a\"b"', 'a"b'),
    (r'"a\"b"', r'"a\"b"'), (r'"C:\\x"', r"C:\x"), ('"é 漢 😀"', "é 漢 😀"), (r'"\u00e9"', "é"),
    (r'"\ud83d\ude00"', "😀"),
    (r'"a\nb"', "a\nb"), ('""', ""), ('""', '""'), ('" "', " "), ('"%"', "%"), ("[]", "[]"), ("-0.5", "-0.5"),
    (r'"\"1\""', '"1"'), ('"' + "x" * 5_000 + '"', "x" * 5_000),
    ("1e-7", "1e-7"), ("12345678901234567890", "12345678901234567890"), ("false", "false"), ('"a=b=c"', "a=b=c"),
    ('["a",{"b":null}]', '["a",{"b":null}]'),
]  # fmt: skip
NOT_FOUND = [
    ("1.0", "1"), ("1", "1.0"), ("1", '"1"'), ("true", '"true"'), ("true", "True"), ("null", ""), ('""', "null"),
    ('"a=b"', "a"), ('["a","b"]', '["a", "b"]'), ('["a","b"]', "a"), ('{"a":1}', '{"a": 1}'), ('"A"', "a"),
    ('" a"', "a"), ('"ab"', "a"), ('"a%"', "a_"), ('"e\\u0301"', "é"), ("1", "01"), ('"x"', '"x'),
    ('"' + "x" * 5_000 + '"', "x" * 4_999 + "y"), ("100", "1e2"), ("1e2", "100"), ("false", "0"), ("-1.5", "-1.50"),
]  # fmt: skip

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.5]),
    st.sampled_from(["", "1", "true", "null", "0.5", "a", "é", 'a"b', "a\\b", "a=b", '"1"', "[]", "{}", "\n"]),
)  # fmt: skip
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from("xy"), SCALARS, max_size=2))
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c.d", "é", 'q"q']), VALUES, max_size=4)
STEADY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def trace_with(project: Project, raw: str, key: str = "k") -> Trace:
    """A pulled trace whose metadata holds this JSON text under the key."""
    return TraceFactory.create(project=project, metadata=merge.dump_members({"other": "0", key: raw}))


def found(project: Project, *pairs: tuple[str, str]) -> set[int]:
    return set(index.matching(project, pairs).values_list("place", flat=True))


@pytest.mark.parametrize(("raw", "value"), FOUND)
def test_it_finds(project: Project, raw: str, value: str) -> None:
    assert found(project, ("k", value)) == set()
    trace = trace_with(project, raw)
    assert found(project, ("k", value)) == {trace.pk}


@pytest.mark.parametrize(("raw", "value"), NOT_FOUND)
def test_it_does_not_find(project: Project, raw: str, value: str) -> None:
    trace_with(project, raw)
    assert found(project, ("k", value)) == set()


def test_it_finds_a_number_and_the_text_of_it_at_once(project: Project) -> None:
    traces = {trace_with(project, raw).pk for raw in ("1", '"1"')}
    trace_with(project, "1.0")
    assert found(project, ("k", "1")) == traces


def test_every_pair_must_hold(project: Project) -> None:
    both = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    TraceFactory.create(project=project, metadata='{"a":1,"b":3}')
    assert found(project, ("a", "1"), ("b", "2")) == {both.pk}
    assert found(project, ("a", "1"), ("b", "4")) == set()


def test_a_key_within_an_object_is_not_the_traces_key(project: Project) -> None:
    # Laminar's text scan takes the first `"k":` it meets; a trace's own key is what people mean.
    trace = TraceFactory.create(project=project, metadata='{"o":{"k":"inner"},"k":"outer"}')
    assert found(project, ("k", "inner")) == set()
    assert found(project, ("k", "outer")) == {trace.pk}


def test_long_keys_are_told_apart_by_their_last_letter(project: Project) -> None:
    long = "k" * 400
    first, second = trace_with(project, "1", f"{long}a"), trace_with(project, "1", f"{long}b")
    assert found(project, (f"{long}a", "1")) == {first.pk}
    assert found(project, (f"{long}b", "1")) == {second.pk}


def test_a_term_keeps_no_more_of_a_value_than_is_read(project: Project) -> None:
    trace_with(project, '"' + "x" * 5_000 + '"')
    assert max(len(value) for value in Term.objects.values_list("value", flat=True)) == 200


def test_a_trace_with_very_many_keys_is_indexed(project: Project) -> None:
    members = {f"key-{number}": str(number) for number in range(3_000)}
    trace = TraceFactory.create(project=project, metadata=merge.dump_members(members))
    assert found(project, ("key-2999", "2999"), ("key-0", "0")) == {trace.pk}


def test_projects_are_kept_apart(project: Project, other_project: Project) -> None:
    trace_with(other_project, "1")
    assert found(project, ("k", "1")) == set()
    assert found(project) == set()


def test_a_trace_that_was_never_pulled_is_not_found(project: Project) -> None:
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, uuid4()), {"score": 1})
    assert found(project, ("score", "1")) == found(project) == set()


@STEADY
@given(objects=st.lists(OBJECTS, min_size=1, max_size=5), data=st.data())
def test_it_finds_what_reading_every_trace_would(db: None, objects: list[dict[str, Any]], data: st.DataObject) -> None:
    project = ProjectFactory.create()
    texts = {TraceFactory.create(project=project, metadata=canonical_json.dumps(each)).pk: each for each in objects}
    pairs = data.draw(st.lists(_pairs_near(objects), min_size=1, max_size=3))
    assert found(project, *pairs) == {pk for pk, each in texts.items() if all(_holds(each, *pair) for pair in pairs)}


@STEADY
@given(before=OBJECTS, patches=st.lists(OBJECTS, min_size=1, max_size=4))
def test_a_patch_leaves_the_index_as_building_it_anew_would(
    db: None, before: dict[str, Any], patches: list[dict[str, Any]]
) -> None:
    project = ProjectFactory.create()
    trace = TraceFactory.create(project=project, metadata=canonical_json.dumps(before))
    merged = dict(before)
    for patch in patches:
        merged |= patch
        merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), patch)
    patched = _indexed(trace)
    trace.refresh_from_db()
    index.reindex([trace])
    assert patched == _indexed(trace)
    assert canonical_json.loads(trace.metadata) == canonical_json.normalize(merged)
    assert len(patched) == len(merged)


def test_a_patch_keeps_the_spelling_of_what_it_leaves(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1.0,"b":1e2}')
    merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"c": None})
    trace.refresh_from_db()
    assert (trace.metadata, trace.unconfirmed) == ('{"a":1.0,"b":1e2,"c":null}', '{"c":null}')


def test_a_patch_counts_the_reviews_it_comes_from(project: Project) -> None:
    trace = TraceFactory.create(project=project)
    for _ in range(2):
        merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"a": 1}, review_count=1)
    assert merge.lock_trace(project, trace.trace_id).review_count == 2


def test_a_place_is_made_for_a_trace_that_is_patched_before_it_comes(project: Project) -> None:
    trace_id = uuid4()
    held = merge.lock_trace(project, trace_id)
    assert (held.start_time, held.metadata) == (None, "{}")
    assert merge.lock_trace(project, trace_id).pk == held.pk


def test_only_equal_values_are_taken_out() -> None:
    text = '{"a":1,"b":"x","c":null,"d":[1]}'
    assert merge.remove_patch(text, {"a": 1.0, "b": "y", "c": None, "e": 1}) == '{"b":"x","d":[1]}'


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "1", '"a"', "{", '{"a":1', '{"a":}', "{}x", '{"a":' + "1" * 5_000 + "}"]
)
def test_what_is_no_object_has_no_members(text: str) -> None:
    assert merge.parse_members(text) == {}


def test_what_is_nested_too_deep_to_read_has_no_members() -> None:
    assert merge.parse_members('{"a":' + "[" * 65 + "]" * 65 + "}") == {}
    assert merge.parse_members('{"a":"' + "[" * 5_000 + '"}') == {"a": '"' + "[" * 5_000 + '"'}
    assert len(merge.parse_members(canonical_json.dumps({str(n): [n] for n in range(500)}))) == 500


def test_a_key_that_no_database_keeps_is_marked() -> None:
    assert merge.parse_members(r'{"a\u0000b":1,"\ud800":2}') == {"a\N{REPLACEMENT CHARACTER}b": "1", "?": "2"}


@pytest.mark.parametrize(
    ("raw", "value"), [('"a"', "a"), ("1.0", "1.0"), ("null", "null"), (r'"\"1\""', '"1"'), ('"', '"'), ("[1]", "[1]")]
)
def test_a_value_is_shown_as_one_would_ask_for_it(raw: str, value: str) -> None:
    assert pairs.display_value(raw) == value


def test_a_value_with_half_a_character_can_be_shown() -> None:
    assert pairs.display_value(r'"a\ud800\u0000"').encode()


def test_only_the_first_equals_sign_divides_a_condition() -> None:
    assert pairs.parse_pairs(["a=b=c", "k=", "é= x "]) == [Pair("a", "b=c"), Pair("k", ""), Pair("é", " x ")]


def test_a_condition_told_twice_is_one() -> None:
    assert pairs.parse_pairs(["a=1", "b=1", "a=1"]) == [Pair("a", "1"), Pair("b", "1")]


@pytest.mark.parametrize("text", ["", "a", "=1", "a=\x00", "\x00=1"])
def test_it_refuses_what_is_no_condition(text: str) -> None:
    with pytest.raises(FilterError, match=r"\.$"):
        pairs.parse_pairs([text])


def test_it_refuses_too_many_conditions() -> None:
    with pytest.raises(FilterError, match="12 conditions at most"):
        pairs.parse_pairs([f"k{number}=1" for number in range(13)])


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[Any]:
    """ClickHouse itself, with the two functions by which Laminar compares."""
    session = pytest.importorskip("chdb.session").Session()
    session.query("CREATE TABLE stored (n UInt32, m String, v String) ENGINE = Memory")
    # As we ask Laminar: an empty value stands for the empty string, where the function says "" for an absent key.
    rule = """(v != '' AND simpleJSONExtractString(m, 'k') = v) OR simpleJSONExtractRaw(m, 'k') = if(v = '', '""', v)"""

    def equal(stored: list[tuple[str, str]]) -> list[bool]:
        rows = [json.dumps({"n": n, "m": text, "v": value}) for n, (text, value) in enumerate(stored)]
        session.query("TRUNCATE TABLE stored")
        session.query("INSERT INTO stored FORMAT JSONEachRow " + "\n".join(rows))
        answer = session.query(f"SELECT {rule} AS found FROM stored ORDER BY n", "JSON")  # noqa: S608
        return [bool(row["found"]) for row in json.loads(answer.data())["data"]]

    yield equal
    session.close()


def test_clickhouse_agrees_on_the_table(clickhouse: Any) -> None:
    # ClickHouse compares escaped spellings as they stand; PostgreSQL, which writes them there, knows one of each.
    rows = [(raw, value, True) for raw, value in FOUND] + [(raw, value, False) for raw, value in NOT_FOUND]
    rows = [row for row in rows if "\\u" not in row[0]]
    stored = [(merge.dump_members({"other": "0", "k": raw}), value) for raw, value, _ in rows]
    assert clickhouse(stored) == [expected for _, _, expected in rows]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_clickhouse_agrees_on_any_value(clickhouse: Any, data: st.DataObject) -> None:
    objects = [{"o": "1", "k": value} for value in data.draw(st.lists(VALUES, min_size=20, max_size=40))]
    values = [data.draw(_pairs_near([{"k": each["k"]}]))[1] for each in objects]
    stored = [(canonical_json.dumps(each), value) for each, value in zip(objects, values, strict=True)]
    assert clickhouse(stored) == [_holds(each, "k", value) for each, value in zip(objects, values, strict=True)]


def _holds(values: dict[str, Any], key: str, value: str) -> bool:
    """Laminar's rule, read from the values themselves."""
    return key in values and value in (values[key], canonical_json.dumps(values[key]))


@st.composite
def _pairs_near(draw: st.DrawFn, objects: list[dict[str, Any]]) -> tuple[str, str]:
    """A pair that often holds for one of the objects."""
    held = [(key, value) for each in objects for key, value in each.items()]
    assume(held)
    key, value = draw(st.sampled_from(held))
    texts = [canonical_json.dumps(value), str(value), json.dumps(str(value), ensure_ascii=False), "1", "true", ""]
    return draw(st.sampled_from([key, "a"])), draw(st.sampled_from(texts))


def _indexed(trace: Trace) -> set[tuple[Any, ...]]:
    return set(Posting.objects.filter(trace=trace).values_list("term__key", "term__digest", "start_time"))
