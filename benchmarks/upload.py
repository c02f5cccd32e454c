"""Measure how fast an uploaded file of traces is received and added to a queue, and in how much memory."""

import json

from benchmarks.environment import fresh_environment

LINES = 100_000


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        figures = json.loads(environment.run("-m", "benchmarks.upload_timing", str(LINES)))
    return {
        "name": "upload",
        "work": f"a CSV of {LINES:,} new traces, received and added to an empty queue,"
        f" on {'PostgreSQL' if database else 'SQLite'}",
        **figures,
    }
