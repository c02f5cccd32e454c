"""A query has limits on its size, time and memory, and runs in a process that the store can do without."""
# ruff: noqa: S608 - queries are assembled from parts

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from reviewapp.tracestore.sql import pool, worker
from tests.tracestore.store_calls import make_span, query_error, query_rows, send_spans
from tests.tracestore_server import RunningStore, run_store, start_store

# A text of 8 ** 8 characters, 16 MiB; 60 of them are more than a query may use.
LARGE_TEXT = "'x'"
for _ in range(8):
    LARGE_TEXT = f"replaceAll({LARGE_TEXT}, 'x', '{'x' * 8}')"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELECT " + ", ".join("1" * 1_001), "Query validation failed: Too many columns; the maximum is 1,000"),
        ("SELECT " + ", ".join("1" * 20_000), "Query validation failed: Too many words; the maximum is 20,000."),
        ("SELECT 1 UNION ALL SELECT " + ", ".join("1" * 1_001), "Query validation failed: Too many columns"),
        ("SELECT " + "lower(" * 51 + "'a'" + ")" * 51, "Query validation failed: the query is nested too deeply"),
        ("SELECT " + "[" * 51 + "]" * 51, "Query validation failed: the query is nested too deeply"),
        ("SELECT '" + "é" * 140_000 + "'", "Error executing query: Max query size exceeded (262144 bytes)"),
        (f"SELECT length(replaceAll({LARGE_TEXT}, 'x', '{'x' * 9}'))", "Error executing query: "),
        (f"SELECT length(concat({', '.join([LARGE_TEXT] * 60)}))", "Error executing query: Memory limit exceeded"),
    ],
)
def test_it_refuses_a_query_over_a_limit(full_client: httpx.Client, query: str, error: str) -> None:
    status, message = query_error(full_client, query)
    assert (status, message[: len(error)]) == (400, error)
    assert query_rows(full_client, "SELECT 1 AS one") == [{"one": 1}]


def test_it_returns_a_result_near_the_limit(full_client: httpx.Client) -> None:
    columns = ", ".join(f"{LARGE_TEXT} AS c{number}" for number in range(7))
    response = full_client.post("/v1/sql/query", json={"query": f"SELECT {columns}"})
    assert (response.status_code, len(response.content) > 7 * 8**8) == (200, True)


def test_it_returns_the_many_events_of_a_span_in_little_memory(full_client: httpx.Client, trace_id: str) -> None:
    send_spans(full_client, make_span(trace_id, events=[""] * 400_000))
    # Parsed, this many events would take more memory than a query may use.
    columns = ", ".join(f"events AS e{number}" for number in range(3))
    response = full_client.post(
        "/v1/sql/query",
        json={"query": f"SELECT {columns} FROM spans WHERE trace_id = {{id:UUID}}", "parameters": {"id": trace_id}},
    )
    assert (response.status_code, response.text.count("timestamp")) == (200, 1_200_000)


def test_it_refuses_a_part_of_an_array(full_client: httpx.Client, trace_id: str) -> None:
    send_spans(full_client, make_span(trace_id, attributes={"lmnr.association.properties.tags": ["a", "b"]}))
    query = "SELECT substring(tags, 1, 3) AS part FROM spans WHERE trace_id = {id:UUID}"
    assert query_error(full_client, query, id=trace_id)[0] == 400


def test_it_replaces_a_killed_process(tmp_path: Path) -> None:
    with run_store(tmp_path) as store, store.client() as client:
        assert query_rows(client, "SELECT 1 AS one") == [{"one": 1}]
        for pid in _query_processes(store):
            os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: not _query_processes(store))
        assert query_rows(client, "SELECT 2 AS two") == [{"two": 2}]


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_it_leaves_no_process_behind(tmp_path: Path, signal_number: signal.Signals, code: int) -> None:
    store = start_store(tmp_path)
    with store.client() as client:
        query_rows(client, "SELECT 1 AS one")
    pids = _descendants(store.process.pid)
    assert len(pids) >= 2
    assert store.stop(signal_number) == code
    _wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids))


def test_it_runs_a_few_queries_at_a_time(tmp_path: Path) -> None:
    with run_store(tmp_path) as store, store.client() as client:
        for number in range(5):
            query_rows(client, f"SELECT {number} AS n")
        assert len(_query_processes(store)) == 1
        with ThreadPoolExecutor(max_workers=8) as threads:
            list(threads.map(lambda number: query_rows(client, f"SELECT {number} AS n"), range(40)))
        assert 1 <= len(_query_processes(store)) <= pool.SIZE


def test_it_kills_a_query_that_does_not_stop_in_time(tracestore: RunningStore) -> None:
    context = multiprocessing.get_context("forkserver")
    requests, other_end = context.Pipe()
    process = context.Process(target=worker.serve, args=(other_end, tracestore.database, 0.1))
    process.start()
    other_end.close()
    requests.send((1, f"SELECT length({LARGE_TEXT}) AS n, length(replaceAll({LARGE_TEXT}, 'x', 'xxxxxxx')) AS m", {}))
    with pytest.raises(EOFError):
        requests.recv()
    process.join()
    assert process.exitcode == -signal.SIGALRM


def _query_processes(store: RunningStore) -> list[int]:
    """The processes that run queries: those that the store's child has forked."""
    return [pid for child in _children(store.process.pid) for pid in _children(child)]


def _descendants(pid: int) -> list[int]:
    children = _children(pid)
    return [*children, *(pid for child in children for pid in _descendants(child))]


def _children(pid: int) -> list[int]:
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) == pid]


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
