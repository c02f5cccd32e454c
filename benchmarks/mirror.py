"""Measure how fast the worker pulls the metadata of traces from a trace store into the mirror and its index."""

import hashlib
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from benchmarks.environment import ROOT, fresh_environment, min_max

TRACES, RUNS, STORED = 20_000, 5, 1_000_000
SEED, ENVIRONMENTS, REGIONS = 7, ("production", "staging", "development"), ("us-west", "us-east", "eu-central")
_INSERT_TRACE = """
    INSERT INTO trace (project, id, start_time, end_time, duration, input_tokens, output_tokens, total_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_tokens, input_cost, output_cost, total_cost,
    metadata, session_id, user_id, status, top_span_id, top_span_name, top_span_type, trace_type, tags, span_names,
    has_browser_session, num_spans)
    VALUES ((SELECT row FROM project), ?, ?, ?, 6.0, 2100, 900, 3000, 0, 0, 0, 0.01, 0.011, 0.021, ?, ?, ?, 'success',
    ?, 'support_agent', 'DEFAULT', 'DEFAULT', '[]', '[]', 0, 5)
"""


def run(database: str | None) -> dict[str, object]:
    runs = [_one_run(database) for _ in range(RUNS)]
    rates = [run["per_s"] for run in runs]
    return {
        "name": "mirror",
        "work": f"{TRACES:,} new traces of 4 metadata values in a trace store of {STORED:,}, listed by the worker over "
        f"HTTP in pages of 500, stored and indexed, in transactions of 200; {RUNS} runs, on "
        f"{'PostgreSQL' if database else 'SQLite'}; and the store's own response times",
        "per_s": round(statistics.median(rates)),
        **{name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0] if name != "per_s"},
        "spread": {"per_s": min_max(rates)},
    }


def _one_run(database: str | None) -> dict[str, float]:
    with fresh_environment(database) as environment, _run_store(environment.folder) as (url, key):
        environment.env["ALLOWED_LAMINAR_HOSTS"] = url.removeprefix("http://")
        figures: dict[str, float] = json.loads(environment.run("-m", "benchmarks.pull_timing", url, key, str(TRACES)))
    return figures


@contextmanager
def _run_store(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a trace store; yields its URL and full key. Only its newest `TRACES` are newer than 30 days."""
    file = folder / "store.sqlite3"
    command = [sys.executable, "-m", "reviewapp.tracestore", "--port=0", f"--database={file}", "--json"]
    pipe = subprocess.PIPE
    store = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=pipe, stderr=pipe, text=True)  # noqa: S603
    try:
        assert store.stdout is not None
        assert store.stderr is not None
        key = json.loads(store.stdout.readline())["full_key"]
        url = store.stderr.readline().split()[-1]
        with sqlite3.connect(file, timeout=60) as connection:
            connection.executemany(_INSERT_TRACE, map(_make_row, range(STORED)))
        connection.close()
        yield url, key
    finally:
        store.send_signal(signal.SIGTERM)
        store.wait(timeout=60)


def _make_row(number: int) -> tuple[str, ...]:
    """Return the row of the number-th newest trace."""
    age = timedelta(hours=1, seconds=7 * number) + timedelta(days=0 if number < TRACES else 30)
    start = datetime.now(UTC) - age
    digest = hashlib.blake2b(f"{SEED}:{number}".encode(), digest_size=16).digest()
    values = {
        "region": REGIONS[digest[0] % 3], "environment": ENVIRONMENTS[digest[1] % 3],
        "feature_flag": "baseline" if digest[2] % 2 else "new-retriever", "customer_tier": "free",
    }  # fmt: skip
    timestamps = [moment.strftime("%Y-%m-%d %H:%M:%S.%f000") for moment in (start, start + timedelta(seconds=6))]
    metadata = json.dumps(values, separators=(",", ":"))
    top_span = f"00000000-0000-0000-{digest.hex()[:4]}-{digest.hex()[4:16]}"
    return str(UUID(bytes=digest)), *timestamps, metadata, f"session-{number // 4}", f"user-{number % 500}", top_span
