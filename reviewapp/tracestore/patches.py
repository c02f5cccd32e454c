"""Metadata patches: accepted at once, applied after the delay that Laminar's own queue has.

No thread applies them: whoever reads or writes next first applies all that are due, in their order.
"""

import sqlite3
import time

from reviewapp.tracestore import database, jsonb, settings
from reviewapp.tracestore.spans import Attributes


def put(connection: sqlite3.Connection, project: int, trace_id: str, metadata: Attributes) -> None:
    """Queue a patch. One that PostgreSQL cannot hold (NUL in a text) vanishes without a word, as in Laminar."""
    try:
        text = jsonb.dumps(metadata)
    except jsonb.UnstorableError:
        return
    connection.execute(
        "INSERT INTO patch (project, trace_id, metadata, apply_at) VALUES (?, ?, ?, ?)",
        (project, trace_id, text, _now() + settings.APPLY_DELAY_MS),
    )


def apply_all_due() -> None:
    """Apply what is due, before a read."""
    waiting = database.reader().execute("SELECT 1 FROM patch WHERE apply_at <= ? LIMIT 1", (_now(),))
    if waiting.fetchone():
        with database.writing() as connection:
            apply_due(connection)


def apply_due(connection: sqlite3.Connection) -> None:
    """Apply what is due, within the caller's transaction. A patch for a trace that is gone is skipped."""
    due = connection.execute(
        "SELECT metadata, project, trace_id, row FROM patch WHERE apply_at <= ? ORDER BY apply_at, row", (_now(),)
    ).fetchall()
    if due:
        connection.executemany(
            "UPDATE trace SET metadata = jsonb_merge(metadata, ?), num_spans = num_spans + 1"
            " WHERE project = ? AND id = ?",
            [patch[:3] for patch in due],
        )
        connection.executemany("DELETE FROM patch WHERE row = ?", [patch[3:] for patch in due])


def _now() -> int:
    return time.time_ns() // 1_000_000
