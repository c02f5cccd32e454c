"""Metadata patches: accepted immediately, applied after a delay like that of Laminar's own queue.

No background thread applies them: the next read or write first applies all due patches, in order.
"""

import sqlite3
import time

from reviewapp.tracestore import database, jsonb, settings
from reviewapp.tracestore.spans import Attributes


def enqueue(connection: sqlite3.Connection, project: int, trace_id: str, metadata: Attributes) -> None:
    """Queue a patch. As in Laminar, a patch PostgreSQL cannot store (NUL in a string) is dropped silently."""
    try:
        text = jsonb.dumps(metadata)
    except jsonb.UnstorableError:
        return
    connection.execute(
        "INSERT INTO patch (project, trace_id, metadata, apply_at) VALUES (?, ?, ?, ?)",
        (project, trace_id, text, _now_ms() + settings.APPLY_DELAY_MS),
    )


def apply_due_before_read() -> None:
    """Apply due patches in a transaction of their own; opens one only if a patch is due."""
    due = database.reader().execute("SELECT 1 FROM patch WHERE apply_at <= ? LIMIT 1", (_now_ms(),))
    if due.fetchone():
        with database.writing() as connection:
            apply_due(connection)


def apply_due(connection: sqlite3.Connection) -> None:
    """Apply due patches in the caller's transaction. Patches for traces that do not exist are dropped."""
    due = connection.execute(
        "SELECT metadata, project, trace_id, row FROM patch WHERE apply_at <= ? ORDER BY apply_at, row", (_now_ms(),)
    ).fetchall()
    if due:
        connection.executemany(
            "UPDATE trace SET metadata = jsonb_merge(metadata, ?), num_spans = num_spans + 1"
            " WHERE project = ? AND id = ?",
            [patch[:3] for patch in due],
        )
        connection.executemany("DELETE FROM patch WHERE row = ?", [patch[3:] for patch in due])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
