"""The mirror's metadata and its index: matches by Laminar's rule of equality, and stays consistent."""

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
from reviewapp.traces.filter_models import Posting, Term
from reviewapp.traces.metadata import index, merge, pairs
from reviewapp.traces.metadata.pairs import FilterError, Pair
from reviewapp.traces.models import Trace
from tests.factories import ProjectFactory, TraceFactory
from tests.skips import NO_CLICKHOUSE

# Stored JSON texts with filter values that match them in Laminar, and values that do not.
MATCHES = [
    ("1", "1"), ("1.0", "1.0"), ("true", "true"), ('"1"', "1"), ('"1"', '"1"'), ('"true"', "true"), ("null", "null"),
    ('"null"', "null"), ('"a=b"', "a=b"), ('["a","b"]', '["a","b"]'), ('{"a":1}', '{"a":1}'), (r'"a\"b"', 'a"b'),
    (r'"a\"b"', r'"a\"b"'), (r'"C:\\x"', r"C:\x"), ('"é 漢 😀"', "é 漢 😀"), (r'"\u00e9"', "é"),
    (r'"\ud83d\ude00"', "😀"),
    (r'"a\nb"', "a\nb"), ('""', ""), ('""', '""'), ('" "', " "), ('"%"', "%"), ("[]", "[]"), ("-0.5", "-0.5"),
    (r'"\"1\""', '"1"'), ('"' + "x" * 5_000 + '"', "x" * 5_000),
    ("1e-7", "1e-7"), ("12345678901234567890", "12345678901234567890"), ("false", "false"), ('"a=b=c"', "a=b=c"),
    ('["a",{"b":null}]', '["a",{"b":null}]'),
]  # fmt: skip
MISMATCHES = [
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


def create_trace(project: Project, raw: str, key: str = "k") -> Trace:
    """A pulled trace whose metadata has this JSON text under the key."""
    return TraceFactory.create(project=project, metadata=merge.dump_members({"other": "0", key: raw}))


def find_traces(project: Project, *pairs: tuple[str, str]) -> set[int]:
    return set(index.matching(project, pairs).values_list("place", flat=True))


@pytest.mark.parametrize(("raw", "value"), MATCHES)
def test_it_finds(project: Project, raw: str, value: str) -> None:
    assert find_traces(project, ("k", value)) == set()
    trace = create_trace(project, raw)
    assert find_traces(project, ("k", value)) == {trace.pk}


@pytest.mark.parametrize(("raw", "value"), MISMATCHES)
def test_it_does_not_find(project: Project, raw: str, value: str) -> None:
    create_trace(project, raw)
    assert find_traces(project, ("k", value)) == set()


def test_it_finds_a_number_and_its_text(project: Project) -> None:
    traces = {create_trace(project, raw).pk for raw in ("1", '"1"')}
    create_trace(project, "1.0")
    assert find_traces(project, ("k", "1")) == traces


def test_it_finds_only_traces_that_match_every_pair(project: Project) -> None:
    both = TraceFactory.create(project=project, metadata='{"a":1,"b":2}')
    TraceFactory.create(project=project, metadata='{"a":1,"b":3}')
    assert find_traces(project, ("a", "1"), ("b", "2")) == {both.pk}
    assert find_traces(project, ("a", "1"), ("b", "4")) == set()


def test_it_does_not_find_a_key_inside_an_object(project: Project) -> None:
    # Laminar's text scan takes the first `"k":` in the text; users mean the key of the trace itself.
    trace = TraceFactory.create(project=project, metadata='{"o":{"k":"inner"},"k":"outer"}')
    assert find_traces(project, ("k", "inner")) == set()
    assert find_traces(project, ("k", "outer")) == {trace.pk}


def test_it_distinguishes_long_keys_by_their_last_letter(project: Project) -> None:
    long = "k" * 400
    first, second = create_trace(project, "1", f"{long}a"), create_trace(project, "1", f"{long}b")
    assert find_traces(project, (f"{long}a", "1")) == {first.pk}
    assert find_traces(project, (f"{long}b", "1")) == {second.pk}


def test_it_truncates_the_value_of_a_term(project: Project) -> None:
    create_trace(project, '"' + "x" * 5_000 + '"')
    assert max(len(value) for value in Term.objects.values_list("value", flat=True)) == 200


def test_it_indexes_a_trace_with_very_many_keys(project: Project) -> None:
    members = {f"key-{number}": str(number) for number in range(3_000)}
    trace = TraceFactory.create(project=project, metadata=merge.dump_members(members))
    assert find_traces(project, ("key-2999", "2999"), ("key-0", "0")) == {trace.pk}


def test_it_does_not_find_traces_of_another_project(project: Project, other_project: Project) -> None:
    create_trace(other_project, "1")
    assert find_traces(project, ("k", "1")) == set()
    assert find_traces(project) == set()


def test_it_does_not_find_a_trace_that_was_never_pulled(project: Project) -> None:
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, uuid4()), {"score": 1})
    assert find_traces(project, ("score", "1")) == find_traces(project) == set()


@STEADY
@given(objects=st.lists(OBJECTS, min_size=1, max_size=5), data=st.data())
def test_it_finds_what_reading_every_trace_would(db: None, objects: list[dict[str, Any]], data: st.DataObject) -> None:
    project = ProjectFactory.create()
    by_pk = {
        TraceFactory.create(project=project, metadata=canonical_json.dumps(values)).pk: values for values in objects
    }
    pairs = data.draw(st.lists(likely_pairs(objects), min_size=1, max_size=3))
    assert find_traces(project, *pairs) == {
        pk for pk, values in by_pk.items() if all(is_match(values, *pair) for pair in pairs)
    }


@STEADY
@given(before=OBJECTS, patches=st.lists(OBJECTS, min_size=1, max_size=4))
def test_it_indexes_a_patch_as_a_full_reindex_would(
    db: None, before: dict[str, Any], patches: list[dict[str, Any]]
) -> None:
    project = ProjectFactory.create()
    trace = TraceFactory.create(project=project, metadata=canonical_json.dumps(before))
    merged = dict(before)
    for patch in patches:
        merged |= patch
        merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), patch)
    patched = get_postings(trace)
    trace.refresh_from_db()
    index.reindex([trace])
    assert patched == get_postings(trace)
    assert canonical_json.loads(trace.metadata) == canonical_json.normalize(merged)
    assert len(patched) == len(merged)


def test_it_keeps_the_spelling_of_unpatched_values(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"a":1.0,"b":1e2}')
    merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"c": None})
    trace.refresh_from_db()
    assert (trace.metadata, trace.unconfirmed) == ('{"a":1.0,"b":1e2,"c":null}', '{"c":null}')


def test_it_counts_the_reviews_of_a_patch(project: Project) -> None:
    trace = TraceFactory.create(project=project)
    for _ in range(2):
        merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"a": 1}, review_count=1)
    assert merge.lock_trace(project, trace.trace_id).review_count == 2


def test_it_creates_a_row_for_a_trace_that_is_not_pulled_yet(project: Project) -> None:
    trace_id = uuid4()
    trace = merge.lock_trace(project, trace_id)
    assert (trace.start_time, trace.metadata) == (None, "{}")
    assert merge.lock_trace(project, trace_id).pk == trace.pk


def test_it_removes_only_equal_values() -> None:
    text = '{"a":1,"b":"x","c":null,"d":[1]}'
    assert merge.remove_patch(text, {"a": 1.0, "b": "y", "c": None, "e": 1}) == '{"b":"x","d":[1]}'


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "1", '"a"', "{", '{"a":1', '{"a":}', "{}x", '{"a":' + "1" * 5_000 + "}"]
)
def test_it_reads_no_members_from_invalid_texts(text: str) -> None:
    assert merge.parse_members(text) == {}


def test_it_reads_no_members_from_deeply_nested_texts() -> None:
    assert merge.parse_members('{"a":' + "[" * 65 + "]" * 65 + "}") == {}
    assert merge.parse_members('{"a":"' + "[" * 5_000 + '"}') == {"a": '"' + "[" * 5_000 + '"'}
    assert len(merge.parse_members(canonical_json.dumps({str(n): [n] for n in range(500)}))) == 500


def test_it_replaces_characters_that_cannot_be_stored() -> None:
    assert merge.parse_members(r'{"a\u0000b":1,"\ud800":2}') == {"a\N{REPLACEMENT CHARACTER}b": "1", "?": "2"}


@pytest.mark.parametrize(
    ("raw", "value"), [('"a"', "a"), ("1.0", "1.0"), ("null", "null"), (r'"\"1\""', '"1"'), ('"', '"'), ("[1]", "[1]")]
)
def test_it_displays_a_value_as_it_is_written_in_a_filter(raw: str, value: str) -> None:
    assert pairs.display_value(raw) == value


def test_it_displays_a_lone_surrogate() -> None:
    assert pairs.display_value(r'"a\ud800\u0000"').encode()


def test_it_splits_a_condition_at_the_first_equals_sign() -> None:
    assert pairs.parse_pairs(["a=b=c", "k=", "é= x "]) == [Pair("a", "b=c"), Pair("k", ""), Pair("é", " x ")]


def test_it_drops_a_repeated_condition() -> None:
    assert pairs.parse_pairs(["a=1", "b=1", "a=1"]) == [Pair("a", "1"), Pair("b", "1")]


@pytest.mark.parametrize("text", ["", "a", "=1", "a=\x00", "\x00=1"])
def test_it_refuses_an_invalid_condition(text: str) -> None:
    with pytest.raises(FilterError, match=r"\.$"):
        pairs.parse_pairs([text])


def test_it_refuses_too_many_conditions() -> None:
    with pytest.raises(FilterError, match="at most 12 conditions"):
        pairs.parse_pairs([f"k{number}=1" for number in range(13)])


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[Any]:
    """ClickHouse with the two functions that Laminar compares values with."""
    session = pytest.importorskip("chdb.session", reason=NO_CLICKHOUSE).Session()
    session.query("CREATE TABLE stored (n UInt32, m String, v String) ENGINE = Memory")
    # As in our queries to Laminar: an empty value matches an empty string only, not an absent key, for which the
    # function returns "" too.
    rule = """(v != '' AND simpleJSONExtractString(m, 'k') = v) OR simpleJSONExtractRaw(m, 'k') = if(v = '', '""', v)"""

    def compare(stored: list[tuple[str, str]]) -> list[bool]:
        rows = [json.dumps({"n": n, "m": text, "v": value}) for n, (text, value) in enumerate(stored)]
        session.query("TRUNCATE TABLE stored")
        session.query("INSERT INTO stored FORMAT JSONEachRow " + "\n".join(rows))
        result = session.query(f"SELECT {rule} AS is_match FROM stored ORDER BY n", "JSON")  # noqa: S608
        return [bool(row["is_match"]) for row in json.loads(result.data())["data"]]

    yield compare
    session.close()


def test_it_matches_as_clickhouse_does_for_known_values(clickhouse: Any) -> None:
    # ClickHouse compares escapes literally; Laminar stores texts through PostgreSQL, which normalises them.
    rows = [(raw, value, True) for raw, value in MATCHES] + [(raw, value, False) for raw, value in MISMATCHES]
    rows = [row for row in rows if "\\u" not in row[0]]
    stored = [(merge.dump_members({"other": "0", "k": raw}), value) for raw, value, _ in rows]
    assert clickhouse(stored) == [expected for _, _, expected in rows]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_it_matches_as_clickhouse_does_for_any_value(clickhouse: Any, data: st.DataObject) -> None:
    objects = [{"o": "1", "k": value} for value in data.draw(st.lists(VALUES, min_size=20, max_size=40))]
    values = [data.draw(likely_pairs([{"k": members["k"]}]))[1] for members in objects]
    rows = list(zip(objects, values, strict=True))
    stored = [(canonical_json.dumps(members), value) for members, value in rows]
    assert clickhouse(stored) == [is_match(members, "k", value) for members, value in rows]


def is_match(values: dict[str, Any], key: str, value: str) -> bool:
    """Laminar's rule, applied to the parsed values."""
    return key in values and value in (values[key], canonical_json.dumps(values[key]))


@st.composite
def likely_pairs(draw: st.DrawFn, objects: list[dict[str, Any]]) -> tuple[str, str]:
    """A pair that often matches one of the objects."""
    members = [member for values in objects for member in values.items()]
    assume(members)
    key, value = draw(st.sampled_from(members))
    texts = [canonical_json.dumps(value), str(value), json.dumps(str(value), ensure_ascii=False), "1", "true", ""]
    return draw(st.sampled_from([key, "a"])), draw(st.sampled_from(texts))


def get_postings(trace: Trace) -> set[tuple[Any, ...]]:
    return set(Posting.objects.filter(trace=trace).values_list("term__key", "term__digest", "start_time"))
