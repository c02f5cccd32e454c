"""Forms and functions of ClickHouse's SQL, with the answers that ClickHouse gives."""
# ruff: noqa: S608 - queries are assembled from parts

from typing import Any

import httpx
import pytest

from tests.tracestore.store_calls import METADATA_PREFIX, SECOND, START, make_span, query_error, query_rows, send_spans
from tests.tracestore_server import RunningStore, launch_process

pytestmark = pytest.mark.usefixtures("stored_trace")
TIME = "toDateTime('2026-03-04 15:06:07')"
ONE_TRACE = "WHERE trace_id = {id:UUID}"


@pytest.fixture
def stored_trace(full_client: httpx.Client, trace_id: str) -> None:
    """Store a trace of an agent and three calls, of one, two and three seconds."""
    attributes = {f"{METADATA_PREFIX}score": 3, "lmnr.association.properties.tags": ["a", "b"]}
    spans = [make_span(trace_id, name="agent", attributes=attributes, events=["exception"])]
    calls = [make_span(trace_id, n, parent=1, name="call", end=START + (n - 1) * SECOND) for n in (2, 3, 4)]
    send_spans(full_client, *spans, *calls)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("count(*)", "count()"),
        ("count()", "count()"),
        ("sum(duration) / 2", "divide(sum(duration), 2)"),
        ("count(DISTINCT name)", "countDistinct(name)"),
        ("quantile(0.5)(duration)", "quantile(0.5)(duration)"),
        ("countIf(duration > 1 AND name != 'a')", "countIf(and(greater(duration, 1), notEquals(name, 'a')))"),
        ("max(start_time) - INTERVAL 1 DAY", "minus(max(start_time), toIntervalDay(1))"),
        ("count() FILTER (WHERE name = 'a')", "countIf(equals(name, 'a'))"),
    ],
)
def test_it_names_columns_as_clickhouse_does(full_client: httpx.Client, column: str, name: str) -> None:
    (row,) = query_rows(full_client, f"SELECT {column} FROM spans")
    assert list(row) == [name]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"toStartOfInterval({TIME}, INTERVAL 2 HOUR)", "2026-03-04 14:00:00"),
        (f"toStartOfInterval({TIME}, INTERVAL 7 HOUR)", "2026-03-04 14:00:00"),
        (f"toStartOfInterval({TIME}, INTERVAL 15 MINUTE)", "2026-03-04 15:00:00"),
        (f"toStartOfInterval({TIME}, INTERVAL 2 WEEK)", "2026-03-02"),
        (f"toStartOfInterval({TIME}, INTERVAL 1 QUARTER)", "2026-01-01"),
        (f"toStartOfInterval({TIME}, INTERVAL 5 MONTH)", "2025-11-01"),
        (f"toHour({TIME})", 15),
        (f"toDayOfWeek({TIME})", 3),
        (f"formatDateTime({TIME}, '%Y-%m-%d %H:%i:%S %M %e %W')", "2026-03-04 15:06:07 March 4 Wednesday"),
        (f"date_trunc('quarter', {TIME})", "2026-01-01"),
        (f"date_trunc('week', {TIME})", "2026-03-02"),
        ("tupleElement((1, 'a'), 2)", "a"),
        ("isValidJSON('{a}')", 0),
        ("isValidJSON('{}')", 1),
        ("arrayFilter(x -> x > 1, [1, 2, 3])", [2, 3]),
        ("arrayMap(x -> x * 2, [1, 2])", [2, 4]),
        ("match('abc', '^b')", 0),
        ("replaceRegexpAll('a1b2', '([a-z])[0-9]', '<\\\\1>')", "<a><b>"),
        ("""JSON_VALUE('{"a":{"b":[1,"x"]}}', '$.a.b[1]')""", "x"),
        ("JSON_VALUE('{}', '$.a')", ""),
        ("JSONExtract('{}', 'a', 'Nullable(Int64)')", None),
        ("""JSONExtract('{"a":1}', 'a', 'Nullable(Int64)')""", 1),
        ("""JSONExtract('{"a":["x",1]}', 'a', 'Array(String)')""", ["x", "1"]),
        ("intDiv(-5, 2)", -2),
        ("-5 % 3", -2),
        ("round(2.5)", 2),
        ("toString(1.0) || 'a'", "1a"),
    ],
)
def test_it_evaluates_functions(full_client: httpx.Client, expression: str, value: Any) -> None:
    assert query_rows(full_client, f"SELECT {expression} AS result") == [{"result": value}]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (f"SELECT name, count() AS n FROM spans {ONE_TRACE} GROUP BY ALL ORDER BY n", [["agent", 1], ["call", 3]]),
        (f"SELECT duration * 2 AS d, d + 1 AS e FROM spans {ONE_TRACE} AND e > 6 ORDER BY e", [[6, 7]]),
        (f"SELECT name, duration FROM spans {ONE_TRACE} ORDER BY 2 DESC LIMIT 1 BY name", [["call", 3], ["agent", 1]]),
        (f"SELECT duration FROM spans {ONE_TRACE} ORDER BY duration LIMIT 1 OFFSET 1 BY name LIMIT 5", [[2]]),
        (f"SELECT quantiles(0.5, 1)(duration), topK(1)(name) FROM spans {ONE_TRACE}", [[[1.5, 3], ["call"]]]),
        (f"SELECT max(duration), min(name) FROM spans {ONE_TRACE} AND name = 'none'", [[0, ""]]),
        (f"SELECT arrayMap(e -> e.name, events) AS n FROM spans {ONE_TRACE} AND notEmpty(n)", [[["exception"]]]),
        (f"SELECT e.name AS event FROM spans ARRAY JOIN events AS e {ONE_TRACE}", [["exception"]]),
        ("WITH 2 AS two SELECT two + 1", [[3]]),
        ("SELECT JSONExtract(metadata, 'score', 'Nullable(Int64)') AS s FROM traces WHERE id = {id:UUID}", [[3]]),
    ],
)  # fmt: skip
def test_it_understands_forms_of_its_own(full_client: httpx.Client, trace_id: str, query: str, rows: Any) -> None:
    assert [list(row.values()) for row in query_rows(full_client, query, id=trace_id)] == rows


def test_it_leaves_out_the_columns_of_except(full_client: httpx.Client, trace_id: str) -> None:
    query = "SELECT * EXCEPT (input, output) REPLACE (upper(name) AS name) FROM spans WHERE span_id = trace_id"
    every = query_rows(full_client, f"SELECT * FROM spans {ONE_TRACE} LIMIT 1", id=trace_id)[0]
    query = query.replace("span_id = trace_id", "trace_id = {id:UUID} LIMIT 1")
    (row,) = query_rows(full_client, query, id=trace_id)
    assert list(row) == [name for name in every if name not in ("input", "output")]
    assert row["name"] == every["name"].upper()


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELECT id FROM traces WHERE id = 'x'", "Cannot parse “x” as UUID"),
        ("SELECT id FROM traces WHERE id IN ('x')", "Cannot parse “x” as UUID"),
        ("SELECT id FROM traces WHERE id = {x:String}", "Cannot parse uuid x"),
        ("SELECT sum(name) FROM spans", "Illegal type String of argument of function sum"),
        ("SELECT id + 1 FROM traces", "Illegal types UUID and Float64 of arguments of function plus"),
        ("SELECT name, count() FROM spans", "Column 'name' is not under aggregate function and not in GROUP BY keys"),
        ("SELECT name, model FROM spans GROUP BY name", "Column 'model' is not under aggregate"),
        ("SELECT * FROM spans GROUP BY name", "Column '*' is not under aggregate"),
        ("SELECT name FROM spans GROUP BY name ORDER BY model", "Column 'model' is not under aggregate"),
        ("SELECT s.name, count() FROM spans AS s GROUP BY s.model", "Column 'name' is not under aggregate"),
        ("SELECT name FROM spans WHERE name = 1", "There is no supertype for types String, Float64"),
        ("SELECT name FROM spans WHERE name", "Invalid type for filter in WHERE: String"),
        ("SELECT name FROM spans WHERE total_tokens = 'many'", "Cannot parse “many” as Float64"),
        ("SELECT name FROM spans WHERE count() > 1", "Aggregate functions are not allowed in WHERE"),
        ("SELECT max(sum(duration)) FROM spans", "Aggregate function sum is found inside another"),
        ("SELECT lower(duration) FROM spans", "Illegal type Float64 of argument of function lower"),
        ("SELECT n + 1 FROM (SELECT name AS n FROM spans)", "Illegal types String and Float64"),
        ("WITH s AS (SELECT span_id AS i FROM spans) SELECT sum(i) FROM s", "Illegal type UUID of argument"),
        ("SELECT intDiv(1, 0)", "Division by zero"),
        ("SELECT toHour(start_time, 'Europe/Paris') FROM traces", "The time zone Europe/Paris is not supported"),
        ("SELECT DISTINCT 1 AS a LIMIT 5 BY a", "DISTINCT with LIMIT BY is not supported by the trace store"),
        ("SELECT match('a', '(')", "The regular expression cannot be read"),
        ("SELECT avg(start_time) FROM traces", "Illegal type DateTime64 of argument of function avg"),
    ],
)
def test_it_refuses_what_clickhouse_refuses(full_client: httpx.Client, query: str, error: str) -> None:
    status, message = query_error(full_client, query, x="x")
    assert (status, message[: len(error) + 23]) == (400, f"Error executing query: {error}")


def test_it_refuses_aliases_that_multiply(full_client: httpx.Client) -> None:
    aliases = ", ".join(f"a{n} + a{n} AS a{n + 1}" for n in range(1, 30))
    assert query_error(full_client, f"SELECT 1 AS a1, {aliases}")[1] == "Error executing query: Expanded AST is too big"


def test_it_refuses_an_unknown_engine(tracestore: RunningStore) -> None:
    process = launch_process(tracestore.database, variables={"STORE_SQL": "duckdb"})
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.strip()) == (1, "STORE_SQL is “duckdb”. Use sqlite, or clickhouse.")
