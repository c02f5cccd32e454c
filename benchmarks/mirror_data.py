"""Bulk-insert a mirror of N traces with their index, into an empty database: `python -m benchmarks.mirror_data N`.

Each trace has five metadata keys in the proportions of a support agent's traces; one in ten has seven more.
"""

import hashlib
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID

import django

django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 - models exist only after setup
from django.db import connection, transaction  # noqa: E402

from reviewapp.accounts.models import Membership, Project, User  # noqa: E402
from reviewapp.lib import canonical_json, clock, sql  # noqa: E402
from reviewapp.traces.filter_models import MetadataKey, Term  # noqa: E402
from reviewapp.traces.metadata import index  # noqa: E402

PASSWORD = "a password for a benchmark"
SEED, INTERVAL, DURATION, BATCH = 7, timedelta(seconds=7), timedelta(seconds=6), 10_000
CHOICES = {
    "environment": (("production", "staging", "development"), (60, 30, 10)),
    "region": (("us-west", "us-east", "eu-central", "ap-south"), (25, 30, 25, 20)),
    "feature_flag": (("baseline", "new-retriever", "gpt-router-v2"), (50, 30, 20)),
    "customer_tier": (("free", "pro", "enterprise"), (50, 35, 15)),
}
EXTRA_METADATA = {f"experiment_{number}": "on" for number in range(7)}
_TRACE = (
    "id, project_id, trace_id, name, start_time, end_time, status, session_id, user_id, input_tokens, output_tokens,"
    " total_tokens, total_cost, span_count, is_cut, metadata, unconfirmed, reviews, pulled_at, pull_tries, pull_error"
)
_POSTING = "term_id, trace_id, start_time, signature"


def create_mirror(size: int) -> dict[str, object]:
    """Create a project with `size` traces, seven seconds apart until now, and a lead.

    Returns the sign-in data, and per trace the bytes of rows, the bytes of the index and the number of postings.
    """
    project = Project.objects.create(slug="bench", name="Bench", base_url="http://127.0.0.1:1")
    user = User.objects.create(username="lead", password=make_password(PASSWORD))
    Membership.objects.create(project=project, user=user, role="lead")
    first_start = clock.now() - size * INTERVAL
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA cache_size = -800000")
    empty_bytes = _database_size()
    _insert("reviewapp_trace", _TRACE, _trace_rows(project, first_start, size))
    row_bytes = _database_size()
    terms, counts = {}, Counter(member for values in _generate_metadata(size) for member in values.items())
    for (key, value), count in counts.items():
        raw = canonical_json.dumps(value)
        digest = index.compute_digest(key, raw)
        term = Term.objects.create(project=project, key=key, value=raw, digest=digest, count=count)
        terms[key, value] = (term.pk, digest)
    keys: Counter[str] = Counter()
    for (key, _), count in counts.items():
        keys[key] += count
    MetadataKey.objects.bulk_create(
        [MetadataKey(project=project, name=key, count=count) for key, count in keys.items()]
    )
    _insert("reviewapp_posting", _POSTING, _posting_rows(terms, first_start, size))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence('reviewapp_trace', 'id'), %s)", [size])
        # Autovacuum or an automatic checkpoint would do this some time after so many inserts.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")
    return {
        "project": "bench", "person": "lead", "password": PASSWORD,
        "row_bytes": round((row_bytes - empty_bytes) / size),
        "index_bytes": round((_database_size() - row_bytes) / size), "postings": round(sum(counts.values()) / size, 2),
    }  # fmt: skip


def _generate_metadata(size: int) -> Iterator[dict[str, object]]:
    rng = random.Random(SEED)
    for number in range(size):
        values: dict[str, object] = {key: rng.choices(values, weights)[0] for key, (values, weights) in CHOICES.items()}
        # Two common values that never occur together: free customers are not billed.
        values["billing"] = "none" if values["customer_tier"] == "free" else "invoice"
        if number % 10 == 3:
            values |= EXTRA_METADATA
        if number % 2_000 == 7:
            values["incident"] = True
        yield values


def _trace_rows(project: Project, first_start: datetime, size: int) -> Iterator[tuple[Any, ...]]:
    for number, values in enumerate(_generate_metadata(size)):
        start = first_start + number * INTERVAL
        trace_id = UUID(bytes=hashlib.blake2b(f"{SEED}:{number}".encode(), digest_size=16).digest())
        yield (
            number + 1, project.pk, sql.to_db_value(trace_id), "support-agent", sql.to_db_value(start),
            sql.to_db_value(start + DURATION),
            "success", f"session-{number // 4}", f"user-{number % 500}", 2_100, 900, 3_000, 0.021, 5, False,
            json.dumps(values, separators=(",", ":")), "{}", 0, sql.to_db_value(start), 0, "",
        )  # fmt: skip


def _posting_rows(
    terms: dict[tuple[str, object], tuple[int, str]], first_start: datetime, size: int
) -> Iterator[tuple[Any, ...]]:
    signature_of = cache(index.compute_signature)
    for number, values in enumerate(_generate_metadata(size)):
        trace_terms = [terms[member] for member in values.items()]
        signature = signature_of(tuple(digest for _, digest in trace_terms))
        start = sql.to_db_value(first_start + number * INTERVAL)
        for term, _ in trace_terms:
            yield term, number + 1, start, signature


def _insert(table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    remaining = iter(rows)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in remaining:
                    copy.write_row(row)
            return
        placeholders = ", ".join("%s" for _ in columns.split(","))
        while batch := list(islice(remaining, BATCH)):
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({placeholders})", batch)  # noqa: S608 - our own names


def _database_size() -> int:
    """Return the bytes of the database on disk, without what a checkpoint or a vacuum would free."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        size_bytes: int = cursor.fetchone()[0]
    return size_bytes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(create_mirror(int(sys.argv[1]))))
