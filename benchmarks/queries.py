"""Measure each SQL query written by hand against the same query by the ORM."""

import json
import statistics

from benchmarks.environment import fresh_environment

ITEMS, RUNS = 2_000, 5


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        environment.run("-m", "benchmarks.queue_data", str(ITEMS), "4")
        runs = [json.loads(environment.run("-m", "benchmarks.query_timing")) for _ in range(RUNS)]
    return {
        "name": "queries",
        "work": f"one call of each query in a queue of {ITEMS:,} items, in milliseconds, by the ORM and by hand; "
        f"writes are rolled back; medians of {RUNS} runs, on {'PostgreSQL' if database else 'SQLite'}",
        **{
            name: {way: round(statistics.median(run[name][way] for run in runs), 3) for way in ("orm", "sql")}
            for name in runs[0]
        },
    }
