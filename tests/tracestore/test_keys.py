"""Access by keys, and how the database file stores them."""

import hashlib
import json
import sqlite3

import httpx
import pytest

from tests.tracestore.store_calls import fetch_trace, push_metadata, query_error, query_rows, send_span
from tests.tracestore_server import RunningStore, new_keys

ROUTES = [
    ("POST", "/v1/traces"),
    ("POST", "/v1/spans"),
    ("POST", "/v1/traces/metadata"),
    ("POST", "/v1/tag"),
    ("GET", "/v1/project"),
    ("POST", "/v1/sql/query"),
]


@pytest.fixture
def other_client(tracestore: RunningStore) -> httpx.Client:
    """Sends the full key of another project in the same store."""
    keys = new_keys()
    _insert_key(tracestore, keys["full_key"], keys["project_id"])
    return tracestore.client(keys["full_key"])


def _insert_key(store: RunningStore, key: str, project_id: str, expires_at: str | None = None) -> None:
    digest = hashlib.sha3_256(key.encode()).hexdigest()
    with sqlite3.connect(store.database, timeout=20) as connection:
        connection.execute("INSERT OR IGNORE INTO project (id) VALUES (?)", (project_id,))
        (project,) = connection.execute("SELECT row FROM project WHERE id = ?", (project_id,)).fetchone()
        connection.execute("INSERT INTO key VALUES (?, ?, '', 0, ?)", (digest, project, expires_at))
    connection.close()


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic YTpi", "Bearer", ""])
def test_it_refuses_a_missing_or_unknown_key(
    tracestore: RunningStore, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = httpx.request(method, tracestore.url + path, headers=headers)
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ROUTES[3:])
def test_it_hides_full_routes_from_an_ingest_only_key(ingest_client: httpx.Client, method: str, path: str) -> None:
    response = ingest_client.request(method, path, json={})
    assert (response.status_code, response.content) == (404, b"")


def test_it_returns_the_project_of_a_key(full_client: httpx.Client, tracestore: RunningStore) -> None:
    assert full_client.get("/v1/project").text == json.dumps(
        {"projectId": tracestore.project_id}, separators=(",", ":")
    )
    assert full_client.get("/v1/project/").status_code == 200


def test_it_answers_probes_without_a_key(tracestore: RunningStore) -> None:
    for path in ("/health", "/ready"):
        assert httpx.get(tracestore.url + path).text == "OK"


@pytest.mark.parametrize(("expires_at", "status"), [("2020-01-01T00:00:00Z", 401), ("2090-01-01T00:00:00Z", 200)])
def test_it_refuses_an_expired_key(tracestore: RunningStore, expires_at: str, status: int) -> None:
    keys = new_keys()
    _insert_key(tracestore, keys["full_key"], keys["project_id"], expires_at)
    with tracestore.client(keys["full_key"]) as client:
        assert client.get("/v1/project").status_code == status


def test_it_hides_data_of_other_projects(full_client: httpx.Client, other_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    assert query_rows(other_client, "SELECT id FROM traces") == []
    assert query_rows(other_client, "SELECT count() AS n FROM spans s JOIN traces t ON t.id = s.trace_id") == [{"n": 0}]
    assert push_metadata(other_client, trace_id, {"k": 1}).json() == "Trace not found"
    assert other_client.post("/v1/tag", json={"names": ["a"], "traceId": trace_id}).status_code == 404


def test_it_allows_the_same_trace_id_in_two_projects(
    full_client: httpx.Client, other_client: httpx.Client, trace_id: str
) -> None:
    send_span(full_client, trace_id, name="mine")
    send_span(other_client, trace_id, name="theirs")
    push_metadata(other_client, trace_id, {"k": "theirs"})
    assert (fetch_trace(full_client, trace_id)["top_span_name"], fetch_trace(full_client, trace_id)["metadata"]) == (
        "mine",
        "",
    )


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM key",
        "SELECT * FROM main.trace",
        "SELECT * FROM span",
        "SELECT * FROM patch",
        "SELECT * FROM sqlite_master",
        "SELECT id FROM traces WHERE id IN key",
        "SELECT (SELECT hash FROM key) FROM traces",
        "WITH traces AS (SELECT 1 AS id) SELECT * FROM traces",
        "SELECT * FROM (WITH spans AS (SELECT 1 AS x) SELECT * FROM spans)",
        "SELECT project_id FROM traces",
        "SELECT t.PROJECT_ID FROM traces t",
        "SELECT id FROM traces WHERE project_id = {id:UUID}",
        "SELECT id FROM traces UNION ALL SELECT id FROM main.trace",
        "SELECT load_extension('x')",
        "SELECT * FROM pragma_table_info('key')",
        "SELECT * FROM json_each('[1]')",
        "ATTACH 'x' AS y",
        "PRAGMA table_list",
    ],
)
def test_it_refuses_queries_on_other_tables(full_client: httpx.Client, query: str) -> None:
    status, error = query_error(full_client, query)
    assert (status, error.split(":")[0] in ("Query validation failed", "Error executing query")) == (400, True)


def test_it_ignores_a_query_that_shadows_a_real_table(other_client: httpx.Client) -> None:
    query = "WITH trace AS (SELECT 99 AS row, 1 AS project, 'x' AS id), span AS (SELECT 1 AS trace) SELECT * FROM spans"
    assert query_rows(other_client, query) == []


def test_it_stores_no_key_in_plain_text(tracestore: RunningStore, full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id)
    file_contents = b"".join(file.read_bytes() for file in tracestore.database.parent.iterdir())
    assert tracestore.full_key.encode() not in file_contents
    assert hashlib.sha3_256(tracestore.full_key.encode()).hexdigest().encode() in file_contents
    assert f"{tracestore.full_key[:4]}...{tracestore.full_key[-4:]}".encode() in file_contents
