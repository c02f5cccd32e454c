"""POST /v1/sql/query: ClickHouse's SQL over traces and spans."""
# ruff: noqa: S608 - queries are assembled from parts

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.tracestore.store_calls import (
    METADATA_PREFIX,
    NIL_ID,
    SECOND,
    START,
    make_span,
    push_metadata,
    query_error,
    query_rows,
    send_span,
    send_spans,
)

NOW = "SELECT toUnixTimestamp(now()) AS now"


@pytest.fixture(scope="module")
def stored_trace_id(full_client: httpx.Client) -> str:
    """Store a trace of two spans: an agent and its LLM call. Returns its id."""
    trace_id = str(uuid4())
    root = {"lmnr.span.input": '{"q":"why?"}', f"{METADATA_PREFIX}env": "prod", f"{METADATA_PREFIX}o": {"k": "inner"}}
    tags = {"lmnr.association.properties.tags": ["a", "b"], "lmnr.association.properties.session_id": str(trace_id)}
    child = {"gen_ai.system": "openai", "gen_ai.usage.input_tokens": 7, "gen_ai.usage.cost": 0.5}
    spans = [
        make_span(trace_id, 1, name="agent", attributes=root | tags, end=START + 3 * SECOND),
        make_span(trace_id, 2, parent=1, name="Call", attributes=child, start=START + SECOND, events=["exception"]),
    ]
    send_spans(full_client, *spans)
    return trace_id


def test_it_returns_only_data(full_client: httpx.Client, stored_trace_id: str) -> None:
    response = full_client.post("/v1/sql/query", json={"query": "SELECT 1 AS one, 'é' AS text"})
    assert response.text == '{"data":[{"one":1,"text":"é"}]}'
    assert response.headers["Content-Type"] == "application/json"


def test_it_returns_all_columns_of_traces(full_client: httpx.Client, stored_trace_id: str) -> None:
    row = query_rows(full_client, "SELECT * FROM traces WHERE id = {id:UUID} LIMIT 1", id=stored_trace_id)[0]
    assert list(row)[:4] == ["id", "start_time", "end_time", "duration"]
    assert {"metadata", "session_id", "user_id", "status", "top_span_id", "trace_type", "trace_tags"} <= set(row)
    assert (row["has_browser_session"], row["tags"], row["duration"]) == (False, ["a", "b"], 3)
    assert "num_spans" not in row


def test_it_returns_the_span_tree(full_client: httpx.Client, stored_trace_id: str) -> None:
    query = """SELECT span_id, parent_span_id, name, path, span_type, status, start_time, end_time, duration, input,
        output, model, total_tokens, total_cost, events FROM spans WHERE trace_id = {id:UUID} ORDER BY start_time ASC"""
    root, child = query_rows(full_client, query, id=stored_trace_id)
    assert (root["name"], root["parent_span_id"], root["input"]) == ("agent", NIL_ID, '{"q":"why?"}')
    assert (child["status"], child["total_tokens"], child["total_cost"]) == ("error", 7, 0.5)


def test_it_finds_recent_traces_by_metadata(full_client: httpx.Client, trace_id: str) -> None:
    (now,) = query_rows(full_client, NOW)
    send_span(full_client, trace_id, {f"{METADATA_PREFIX}who": trace_id}, start=now["now"] * SECOND)
    query = """SELECT id, start_time, metadata FROM traces WHERE trace_type = 'DEFAULT'
        AND start_time > now() - INTERVAL 7 DAY AND (simpleJSONExtractString(metadata, {k:String}) = {v:String}
        OR simpleJSONExtractRaw(metadata, {k:String}) = {v:String}) ORDER BY start_time DESC LIMIT {n:UInt32}"""
    assert [row["id"] for row in query_rows(full_client, query, k="who", v=trace_id, n=5)] == [trace_id]


def test_it_lists_traces_without_a_review(full_client: httpx.Client, trace_id: str) -> None:
    (now,) = query_rows(full_client, NOW)
    send_span(full_client, trace_id, start=now["now"] * SECOND)
    query = """SELECT id FROM traces WHERE NOT simpleJSONHas(metadata, 'review.status')
        AND start_time > now() - INTERVAL 1 DAY ORDER BY start_time DESC LIMIT 50"""
    assert {"id": trace_id} in query_rows(full_client, query)
    push_metadata(full_client, trace_id, {"review.status": "done"})
    assert {"id": trace_id} not in query_rows(full_client, query)


@pytest.mark.parametrize("respell", [str.upper, lambda text: text.replace("-", ""), str])
def test_it_accepts_every_spelling_of_a_uuid(
    full_client: httpx.Client, stored_trace_id: str, respell: Callable[[str], str]
) -> None:
    assert query_rows(full_client, "SELECT id FROM traces WHERE id = {id:UUID}", id=respell(stored_trace_id)) == [
        {"id": stored_trace_id}
    ]
    assert query_rows(
        full_client, "SELECT id FROM traces WHERE id IN {ids:Array(UUID)}", ids=[respell(stored_trace_id)]
    ) == [{"id": stored_trace_id}]
    assert query_rows(full_client, f"SELECT id FROM traces WHERE id = '{respell(stored_trace_id)}'") == [
        {"id": stored_trace_id}
    ]


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("start_time = '2026-01-02 03:04:05'", 1),
        ("start_time >= {t:String}", 2),
        ("start_time > {t:DateTime64(9)}", 1),
        ("start_time BETWEEN '2026-01-02' AND '2026-01-03'", 2),
        ("start_time < toDateTime64('2026-01-02T03:04:06Z', 9, 'UTC')", 1),
        ("start_time + INTERVAL 1 SECOND = parseDateTime64BestEffort('2026-01-02T03:04:06Z')", 1),
        ("toDate(start_time) = '2026-01-02'", 2),
        ("end_time - start_time > 2", 1),
        ("toUnixTimestamp64Nano(start_time) = 1767323045000000000", 1),
        ("dateDiff('second', start_time, end_time) = 1", 1),
    ],
)
def test_it_compares_times(full_client: httpx.Client, stored_trace_id: str, condition: str, count: int) -> None:
    query = f"SELECT count() AS n FROM spans WHERE trace_id = {{id:UUID}} AND {condition}"
    assert query_rows(full_client, query, id=stored_trace_id, t="2026-01-02T03:04:05Z") == [{"n": count}]


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("has(tags, 'a')", 1),
        ("has(tags, {s:String})", 1),
        ("hasAny(tags, ['x', 'b'])", 1),
        ("arrayExists(tag -> tag = 'b', tags)", 1),
        ("length(tags) = 0", 1),
        ("empty(output)", 2),
        ("name LIKE 'C%'", 1),
        ("name LIKE 'c%'", 0),
        ("name ILIKE 'c%'", 1),
        ("name NOT LIKE '%a%'", 0),
        (r"name LIKE '\_gent'", 0),
        ("lower(name) = 'call'", 1),
        ("name IN ('agent', 'x')", 1),
        ("name IN {names:Array(String)}", 2),
        ("(name, status) IN (('agent', 'success'))", 1),
        ("positionCaseInsensitive(input, 'WHY') > 0", 1),
        ("JSONExtractString(input, 'q') = {q:String}", 1),
        ("if(status = 'error', 1, 0)", 1),
        ("trace_id IN (SELECT id FROM traces WHERE session_id = {id:String})", 2),
    ],
)
def test_it_filters(full_client: httpx.Client, stored_trace_id: str, condition: str, count: int) -> None:
    query = f"SELECT count() AS n FROM spans WHERE trace_id = {{id:UUID}} AND {condition}"
    assert query_rows(full_client, query, id=stored_trace_id, s="a", q="why?", names=["agent", "Call"]) == [
        {"n": count}
    ]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("count()", {"count()": 2}),
        ("countIf(status = 'error') AS n, uniq(trace_id) AS u", {"n": 1, "u": 1}),
        ("sum(total_tokens) AS s, avg(duration) AS a", {"s": 7, "a": 2}),
        ("sumIf(total_tokens, status = 'success') AS s", {"s": 0}),
        ("max(start_time) AS m", {"m": "2026-01-02 03:04:06.000000000"}),
        ("quantile(0.5)(duration) AS q, median(duration) AS m", {"q": 2, "m": 2}),
        ("groupArray(span_type) AS g", {"g": ["DEFAULT", "LLM"]}),
        ("argMax(name, start_time) AS n", {"n": "Call"}),
        ("multiIf(count() > 5, 'many', count() > 1, 'some', 'few') AS m", {"m": "some"}),
    ],
)
def test_it_aggregates(full_client: httpx.Client, stored_trace_id: str, columns: str, row: dict[str, Any]) -> None:
    assert query_rows(full_client, f"SELECT {columns} FROM spans WHERE trace_id = {{id:UUID}}", id=stored_trace_id) == [
        row
    ]


def test_it_divides_as_clickhouse_does(full_client: httpx.Client) -> None:
    row = {"d": 2.5, "e": 2, "s": "1", "n": None, "a": [1, 2]}
    assert query_rows(full_client, "SELECT 5 / 2 AS d, 4 / 2 AS e, toString(1.0) AS s, NULL AS n, [1, 2] AS a") == [row]


def test_it_joins_groups_and_names_subqueries(full_client: httpx.Client, stored_trace_id: str) -> None:
    query = """WITH counted AS (SELECT trace_id, count() AS n FROM spans GROUP BY trace_id)
        SELECT t.id, c.n FROM traces AS t INNER JOIN counted AS c ON c.trace_id = t.id WHERE t.id = {id:UUID}"""
    assert query_rows(full_client, query, id=stored_trace_id) == [{"id": stored_trace_id, "n": 2}]


def test_it_expands_arrays(full_client: httpx.Client, stored_trace_id: str) -> None:
    query = "SELECT tag, count() AS n FROM spans ARRAY JOIN tags AS tag WHERE trace_id = {id:UUID} GROUP BY tag"
    assert query_rows(full_client, f"{query} ORDER BY tag", id=stored_trace_id) == [
        {"tag": "a", "n": 1},
        {"tag": "b", "n": 1},
    ]


def test_it_ignores_settings_final_and_format(full_client: httpx.Client, stored_trace_id: str) -> None:
    query = "SELECT id FROM traces FINAL PREWHERE id = {id:UUID} SETTINGS max_threads = 1 FORMAT CSV"
    assert query_rows(full_client, query, id=stored_trace_id) == [{"id": stored_trace_id}]


def test_it_searches_the_text_where_clickhouse_does(full_client: httpx.Client, stored_trace_id: str) -> None:
    query = "SELECT simpleJSONExtractString(metadata, 'k') AS simple, JSONExtractString(metadata, 'k') AS exact"
    assert query_rows(full_client, f"{query} FROM traces WHERE id = {{id:UUID}}", id=stored_trace_id) == [
        {"simple": "inner", "exact": ""}
    ]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("DROP TABLE traces", "Query validation failed: Only SELECT"),
        ("SELECT 1; SELECT 2", "Query validation failed: Only SELECT"),
        ("INSERT INTO traces VALUES (1)", "Query validation failed: Only SELECT"),
        ("", "Query validation failed: Only SELECT"),
        ("SELEKT 1 FROM", "Query validation failed: "),
        ("SELECT (((", "Query validation failed: "),
        ("SELECT " + "(" * 2000 + "1" + ")" * 2000, "Query validation failed: "),
        ("SELECT project_id FROM traces", "Query validation failed: Column 'project_id' does not exist"),
        ("SELECT * FROM logs", "Query validation failed: Table 'logs' does not exist"),
        ("SELECT * FROM url('http://x')", "Query validation failed: Function 'url' is not allowed"),
        ("SELECT sleep(3)", "Query validation failed: Function 'sleep' is not allowed"),
        ("SELECT nosuch(1)", "Error executing query: Function with name `nosuch` does not exist"),
        ("SELECT nosuch FROM traces", "Error executing query: no such column: nosuch"),
        ('SELECT "nosuch" FROM traces', "Error executing query: no such column: nosuch"),
        ("SELECT {missing:String}", "Error executing query: Substitution `missing` is not set"),
        ("SELECT {object:String}", "Error executing query: Value of parameter object"),
        ("SELECT {text:UInt32}", "Error executing query: Value of parameter text"),
        ("SELECT {text:UUID}", "Error executing query: Value of parameter text"),
        ("SELECT id FROM traces WHERE start_time > 'soon'", "Error executing query: Cannot parse “soon” as a time"),
        ("SELECT DISTINCT 1 LIMIT 5 BY 1", "Error executing query: "),
        ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT n FROM x", "Error executing query"),
        ("SELECT '" + "x" * 300_000 + "'", "Error executing query: Max query size exceeded"),
    ],
)
def test_it_refuses_an_invalid_query_with_a_reason(
    full_client: httpx.Client, stored_trace_id: str, query: str, error: str
) -> None:
    status, message = query_error(full_client, query, object={"a": 1}, text="x")
    assert (status, message[: len(error)]) == (400, error)


def test_it_refuses_a_question_mark_in_a_query(full_client: httpx.Client) -> None:
    status, message = query_error(full_client, "SELECT 'really?'")
    assert (status, message.startswith("Error executing query: ")) == (500, True)


@pytest.mark.parametrize("body", [{}, [], {"query": 5}, {"query": "SELECT 1", "parameters": [1]}])
def test_it_refuses_a_malformed_body(full_client: httpx.Client, body: Any) -> None:
    response = full_client.post("/v1/sql/query", json=body)
    assert (response.status_code, response.text.startswith("Json deserialize error: ")) == (400, True)


def test_it_truncates_to_a_quarter(full_client: httpx.Client) -> None:
    query = "SELECT date_trunc('quarter', toDateTime('2026-08-15 01:02:03')) AS a, toStartOfQuarter(day) AS b"
    query += " FROM (SELECT toDate('2026-12-31') AS day)"
    assert query_rows(full_client, query) == [{"a": "2026-07-01", "b": "2026-10-01"}]
