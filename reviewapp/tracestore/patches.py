"""Metadata patches: accepted immediately, applied after a delay like that of Laminar's own queue, in order of arrival.

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
    if _find_last_due(database.reader()) is not None:
        with database.writing() as connection:
            apply_due(connection)


def apply_due(connection: sqlite3.Connection) -> None:
    """Apply due patches in the caller's transaction. Patches for traces that do not exist are dropped."""
    last = _find_last_due(connection)
    if last is not None:
        # By arrival: a patch that came before one that is due is applied before it, whatever the clock said.
        due = connection.execute(
            "SELECT metadata, project, trace_id, row FROM patch WHERE row <= ? ORDER BY row", (last,)
        ).fetchall()
        connection.executemany(
            "UPDATE trace SET metadata = jsonb_merge(metadata, ?), num_spans = num_spans + 1"
            " WHERE project = ? AND id = ?",
            [patch[:3] for patch in due],
        )
        connection.executemany("DELETE FROM patch WHERE row = ?", [patch[3:] for patch in due])


def _find_last_due(connection: sqlite3.Connection) -> int | None:
    """The newest patch that is due; one that is due later than its delay allows came before the clock was set back."""
    now = _now_ms()
    row: int | None = connection.execute(
        "SELECT max(row) FROM patch WHERE apply_at <= ? OR apply_at > ?", (now, now + settings.APPLY_DELAY_MS)
    ).fetchone()[0]
    return row


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
