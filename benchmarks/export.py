"""Measure how fast a queue's reviews are exported in each format, and in how much memory."""

import json

from benchmarks.environment import fresh_environment

REVIEWS = 200_000
FORMATS = ("csv", "csv-columns", "csv-items", "jsonl", "otel", "dataset")


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        environment.run("-m", "benchmarks.export_timing", "create", str(REVIEWS))
        figures = {
            name: json.loads(environment.run("-m", "benchmarks.export_timing", name, str(REVIEWS))) for name in FORMATS
        }
    return {
        "name": "export",
        "work": f"a queue of {REVIEWS:,} reviews with six answers each, its traces not pulled, in each format and a new"
        f" process, on {'PostgreSQL' if database else 'SQLite'}",
        **figures,
    }
