"""Measure the agreement page of a queue with 100,000 answers, rendered by the server."""

import json
import statistics

from benchmarks.environment import fresh_environment, min_max


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        timing = json.loads(environment.run("-m", "benchmarks.agreement_timing"))
    return {
        "name": "agreement",
        "work": f"a page about {timing['answers']:,} answers: {timing['items']:,} items, each answered by two of ten "
        f"people to five questions, one of them a score of 101 steps; {len(timing['seconds'])} requests",
        "p50_ms": round(1000 * statistics.median(timing["seconds"])),
        "spread": {"p50_ms": [round(1000 * seconds) for seconds in min_max(timing["seconds"])]},
    }
