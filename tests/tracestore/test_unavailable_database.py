"""A database that cannot be used now: 503 with Retry-After, so that exporters send again."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import RequestFactory

from reviewapp.tracestore import database, projects, settings, views
from tests.tracestore.store_calls import PROTOBUF_HEADERS, encode_spans, fetch_spans, make_span
from tests.tracestore_server import RunningStore, start_store


def test_it_asks_to_send_again_while_the_database_is_locked(tracestore: RunningStore, trace_id: str) -> None:
    body = encode_spans(make_span(trace_id))
    other = sqlite3.connect(tracestore.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with tracestore.client() as client:
        response = client.post("/v1/traces", content=body, headers=PROTOBUF_HEADERS)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert "Nothing was saved." in response.text
        other.execute("ROLLBACK")
        other.close()
        assert client.post("/v1/traces", content=body, headers=PROTOBUF_HEADERS).status_code == 200
        assert len(fetch_spans(client, trace_id)) == 1


@pytest.mark.parametrize("path", ["/health", "/health/", "/ready/"])
def test_it_answers_probes_while_all_threads_wait_for_the_database(tracestore: RunningStore, path: str) -> None:
    other = sqlite3.connect(tracestore.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(2 * settings.THREADS) as pool, tracestore.client() as client:
        body = encode_spans(make_span(str(uuid4())))
        waiting = [
            pool.submit(client.post, "/v1/traces", content=body, headers=PROTOBUF_HEADERS)
            for _ in range(2 * settings.THREADS)
        ]
        assert client.get(path).status_code == 200
        assert not any(post.done() for post in waiting)
        other.execute("ROLLBACK")
        other.close()


def test_it_asks_to_send_again_while_the_disk_is_full(
    tmp_path: Path, trace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATABASE_FILE", tmp_path / "full.sqlite3")
    monkeypatch.setattr(database, "_local", type(database._local)())
    credentials = projects.generate_credentials()
    projects.ensure(credentials)
    authorization = {"Authorization": f"Bearer {credentials.full_key}"}
    with database.writing() as connection:
        # FULL: what is acknowledged survives a power loss.
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    spans = [{"name": "x" * 100_000, "startTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:04:05Z"}]
    body = json.dumps(spans).encode()
    for limit, status in ((pages, 503), (pages + 100, 200)):
        connection.execute(f"PRAGMA max_page_count = {limit}")
        request = RequestFactory().post("/v1/spans", body, "application/json", headers=authorization)
        response = views.create_spans(request)
        assert (response.status_code, response.get("Retry-After", "")) == (status, "5" if status == 503 else "")


def test_it_summarises_the_log_lines_of_an_outage(tmp_path: Path, trace_id: str) -> None:
    store, body = start_store(tmp_path), encode_spans(make_span(trace_id))
    with closing(sqlite3.connect(store.database, isolation_level=None)) as other, store.client() as client:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(3) as threads:
            requests = [
                threads.submit(client.post, "/v1/traces", content=body, headers=PROTOBUF_HEADERS) for _ in range(3)
            ]
    store.process.terminate()
    _, log = store.process.communicate(timeout=30)
    assert [request.result().status_code for request in requests] == [503] * 3
    lines = [line for line in log.splitlines() if "The trace store cannot use its database" in line]
    assert ["[2 more]" in line for line in lines] == [False, True]
