"""Measure `/metrics` among a million finished deliveries, as many attempts, and many that wait."""

import json
import sqlite3
import statistics
from contextlib import closing

import psycopg

from benchmarks.environment import Environment, fresh_environment, min_max

ROWS, WAITING, RUNS = 1_000_000, 100_000, 9
COLUMNS = (
    "project_id, metadata, tags, source, state, created_at, due_at, confirmed_at, lease, failures, misses, sends,"
    " reads, interruptions, repushes, reason, last_error, watches, drift"
)
NUMBERS = {
    "sqlite": "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    " SELECT i FROM n) AS n",
    "postgresql": "generate_series(1, {count}) AS n (i)",
}
NEW_ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
TIMER = """
import json, time, django
django.setup()
from reviewapp.insights import metrics
metrics.render()
times = []
for _ in range({runs}):
    started_at = time.perf_counter()
    metrics.render()
    times.append((time.perf_counter() - started_at) * 1000)
print(json.dumps(times))
"""


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        environment.run("-m", "benchmarks.outbox_data", "http://127.0.0.1:9", "1", "1")
        few = _time_scrapes(environment)
        _multiply(environment, "postgresql" if database else "sqlite")
        many = _time_scrapes(environment)
    return {
        "name": "scrape",
        "work": f"/metrics without HTTP, among {ROWS:,} confirmed and {WAITING:,} waiting deliveries and {ROWS:,}"
        f" attempts; medians of {RUNS}, on {'PostgreSQL' if database else 'SQLite'}",
        "ms": round(statistics.median(many), 1),
        "ms_empty": round(statistics.median(few), 1),
        "spread": {"ms": min_max(many)},
    }


def _time_scrapes(environment: Environment) -> list[float]:
    times: list[float] = json.loads(environment.run("-c", TIMER.format(runs=RUNS)))
    return times


def _multiply(environment: Environment, vendor: str) -> None:
    statements = [
        f"INSERT INTO reviewapp_patch ({COLUMNS}, trace_id) SELECT {COLUMNS}, {NEW_ID[vendor]} FROM reviewapp_patch,"  # noqa: S608
        f" {NUMBERS[vendor].format(count=count)} WHERE state = '{state}'"
        for state, count in (("confirmed", ROWS), ("waiting", WAITING))
    ]
    statements.append(
        "INSERT INTO reviewapp_attempt (patch_id, act, at, seconds, status, outcome, answer)"  # noqa: S608
        f" SELECT (SELECT min(id) FROM reviewapp_patch), 'push', created_at, 0.1, 200, 'accepted', ''"
        f" FROM reviewapp_patch, {NUMBERS[vendor].format(count=ROWS)} WHERE reviewapp_patch.id = 1"
    )
    url = environment.env.get("DATABASE_URL")
    if url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in [*statements, "ANALYZE"]:
                connection.execute(statement.encode())
        return
    with closing(sqlite3.connect(environment.folder / "reviewapp.sqlite3")) as store, store:
        for statement in statements:
            store.execute(statement)
