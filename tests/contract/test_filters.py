"""The store's SQL functions compared with ClickHouse itself, first of all Laminar's metadata filter."""
# ruff: noqa: S608 - queries are assembled from parts

import json
import sqlite3
from typing import Any

import httpx
import pytest

from tests.skips import NO_CLICKHOUSE
from tests.tracestore.store_calls import METADATA_PREFIX, push_metadata, query_rows, send_span
from tests.tracestore_server import RunningStore

chdb = pytest.importorskip("chdb", reason=NO_CLICKHOUSE)

FILTER = (
    "simpleJSONExtractString(metadata, {k:String}) = {v:String}"
    " OR simpleJSONExtractRaw(metadata, {k:String}) = {v:String}"
)
# The value pushed as `k`, filter values that match it, and filter values that must not.
MATCHES: list[tuple[Any, list[str], list[str]]] = [
    # simpleJSONExtractString returns the empty string for any other type, so the filter value "" matches.
    (1, ["1", ""], ["1.0", "true"]),
    (1.0, ["1.0"], ["1"]),
    (True, ["true"], ["1", "True"]),
    ("1", ["1", '"1"'], ["1.0"]),
    ("true", ["true", '"true"'], ["True"]),
    (None, ["null"], ["None"]),
    ("", ["", '""'], ["null"]),
    ("a=b", ["a=b"], ["a"]),
    (["a", "b"], ['["a","b"]'], ["a", '["a", "b"]']),
    ({"a": 1}, ['{"a":1}'], ['{"a": 1}']),
    ('a"b', ['a"b', r'"a\"b"'], [r"a\"b"]),
    ("back\\slash/\n\té€😀", ["back\\slash/\n\té€😀"], ["backslash"]),
    ("x" * 3000, ["x" * 3000], ["x" * 2999]),
    (-1.5, ["-1.5"], ["-1"]),
    (1e-7, ["1e-7"], ["0.0000001"]),
    (12345678901234567890, ["12345678901234567890"], ["1.2345678901234567e19"]),
]
FUNCTIONS = [
    *["simpleJSONHas", "simpleJSONExtractString", "simpleJSONExtractRaw", "simpleJSONExtractInt"],
    *["simpleJSONExtractFloat", "simpleJSONExtractBool", "JSONHas", "JSONExtractString", "JSONExtractInt"],
    *["JSONExtractFloat", "JSONExtractBool", "JSONLength"],
]
TEXTS = [
    *[f'{{"k":{text}}}' for text in ("1", "1.0", "true", "false", "null", '"1"', '"12abc"', '""', '["a",{"b":"]"}]')],
    *[f'{{"k":{text}}}' for text in ('{"a":1}', "-1.5e3", "2.5", r'"a\"b"', r'"\u00e9\n"', '"a=b"')],
    '{"o":{"k":"inner"},"k":"outer"}',
    '{"a":[1,2],"b":"}","k":"after"}',
    r'{"j":"\"k\":5"}',
    '{"kk":1,"xk":2}',
    "{}",
    "",
]


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _query_clickhouse(query: str) -> list[Any]:
    output = chdb.query(query, "JSONCompactEachRow").bytes().decode()
    return [json.loads(line) for line in output.splitlines()]


def _rows_of(texts: list[str], name: str) -> str:
    return f"(SELECT arrayJoin([{', '.join(map(_quote, texts))}]) AS {name})"


@pytest.fixture(scope="module")
def client(tracestore: RunningStore) -> httpx.Client:
    return tracestore.client()


@pytest.mark.parametrize(("value", "matching", "not_matching"), MATCHES, ids=range(len(MATCHES)))
def test_it_matches_the_same_values_as_clickhouse(
    client: httpx.Client, trace_id: str, value: Any, matching: list[str], not_matching: list[str]
) -> None:
    send_span(client, trace_id, {f"{METADATA_PREFIX}other": "k"})
    push_metadata(client, trace_id, {"k": value})
    (row,) = query_rows(client, "SELECT metadata FROM traces WHERE id = {id:UUID}", id=trace_id)
    query = f"SELECT id FROM traces WHERE id = {{id:UUID}} AND ({FILTER})"
    store_matches = [
        text for text in (*matching, *not_matching) if query_rows(client, query, id=trace_id, k="k", v=text)
    ]
    condition = FILTER.replace("{k:String}", "'k'").replace("{v:String}", "v")
    select = f"SELECT v FROM {_rows_of([*matching, *not_matching], 'v')} WHERE {condition}"
    clickhouse_rows = _query_clickhouse(f"WITH {_quote(row['metadata'])} AS metadata {select}")
    assert (store_matches, [v for (v,) in clickhouse_rows]) == (matching, matching)


def test_it_evaluates_json_functions_as_clickhouse_does(
    client: httpx.Client, tracestore: RunningStore, trace_id: str
) -> None:
    columns = ", ".join(f"{name}(metadata, 'k') AS {name}" for name in FUNCTIONS)
    send_span(client, trace_id)
    expected_rows = _query_clickhouse(f"SELECT {columns} FROM {_rows_of(TEXTS, 'metadata')}")
    for text, expected in zip(TEXTS, expected_rows, strict=True):
        with sqlite3.connect(tracestore.database, timeout=20) as connection:
            connection.execute("UPDATE trace SET metadata = ? WHERE id = ?", (text, trace_id))
        connection.close()
        (row,) = query_rows(client, f"SELECT {columns} FROM traces WHERE id = {{id:UUID}}", id=trace_id)
        assert (text, list(row.values())) == (text, expected)


TIMES = [
    "toDateTime64('2026-01-31T10:11:12Z', 9, 'UTC')",
    "toDateTime64('2026-01-31 10:11:12.5', 3, 'UTC')",
    "toDateTime('2026-01-31 10:11:12', 'UTC') - INTERVAL 7 DAY",
    "toDateTime64('2026-01-31 10:11:12', 9, 'UTC') + INTERVAL 1 MONTH",
    "toStartOfHour(toDateTime('2026-01-31 10:11:12', 'UTC'))",
    "toStartOfDay(toDateTime('2026-01-31 10:11:12', 'UTC'))",
    "toMonday(toDate('2026-01-31'))",
    "toStartOfWeek(toDate('2026-01-31'))",
    "toStartOfMonth(toDate('2026-01-31'))",
    "parseDateTime64BestEffort('2026-01-31T10:11:12.5+02:00', 9, 'UTC')",
    "toUnixTimestamp64Nano(toDateTime64('2026-01-31 10:11:12', 9, 'UTC'))",
    "fromUnixTimestamp64Milli(1769854272123, 'UTC')",
    "dateDiff('day', toDate('2026-01-31'), toDate('2026-02-02'))",
    "dateDiff('week', toDate('2026-01-31'), toDate('2026-02-02'))",
    "dateDiff('month', toDate('2026-01-31'), toDate('2026-02-01'))",
    "toDate('2026-01-31') + INTERVAL 1 DAY",
    "addDays(toDate('2026-01-31'), 2)",
]
OTHERS = [
    "concat('a', toString(1.5), 'é')",
    "length('é')",
    "lengthUTF8('é')",
    "position('abc', 'c')",
    "substring('hello', 2, 3)",
    "splitByChar('.', 'a.b')",
    "arrayStringConcat(['a', 'b'], ',')",
    "arrayDistinct(['b', 'a', 'b'])",
    "hasAll(['a', 'b'], ['b'])",
    "['a', 'b'][2]",
    "multiIf(0, 'a', 1, 'b', 'c')",
    "coalesce(NULL, 'x')",
    "round(2.567, 2)",
    "7 / 2",
    "'aBc' ILIKE 'AB%'",
    "'a_c' LIKE 'a\\_c'",
    "toInt64('12') + 1",
    "startsWith('abc', 'ab')",
    "greatest(1, 3)",
]


@pytest.fixture(scope="module")
def clickhouse_results() -> dict[str, Any]:
    """ClickHouse's result for every expression, from a single query."""
    (values,) = _query_clickhouse(f"SELECT {', '.join(TIMES + OTHERS)}")
    return dict(zip(TIMES + OTHERS, values, strict=True))


@pytest.mark.parametrize("expression", TIMES + OTHERS)
def test_it_evaluates_expressions_as_clickhouse_does(
    client: httpx.Client, clickhouse_results: dict[str, Any], expression: str
) -> None:
    assert query_rows(client, f"SELECT {expression} AS result") == [{"result": clickhouse_results[expression]}]
