"""Verdicts of signals, which Laminar's own judges write and this store takes from a request.

A run judges one trace for one signal. An event is what a run found; a run that found nothing has none.
"""

import json
import time
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from reviewapp.tracestore import arrays, database, ids, timestamps

STATUSES = frozenset({"PENDING", "PROCESSING", "COMPLETED", "FAILED"})
MAX_SEVERITY = 2
_SAVE_RUN = """
INSERT INTO signal_run (project, signal_id, job_id, trigger_id, run_id, trace_id, error_message, status, mode,
    event_id, updated_at, input_tokens, cache_read_tokens, output_tokens)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'REALTIME', ?, ?, 0, 0, 0)
"""
_SAVE_EVENT = """
INSERT INTO signal_event (project, id, signal_id, trace_id, run_id, name, payload, timestamp, severity, summary,
    clusters) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class InvalidVerdictError(ValueError):
    """A field is missing or of the wrong type; the message names it."""


def save(project: int, trace_id: str, fields: dict[str, Any]) -> dict[str, str]:
    """Store a verdict on a trace: `name`, and optional `status`, `payload`, `severity`, `summary`, `errorMessage`.

    With a payload, an object, the run has an event. Returns the ids. Raises InvalidVerdictError.
    """
    name, status = _text(fields, "name"), _text(fields, "status", "COMPLETED")
    payload, severity = fields.get("payload"), fields.get("severity", 0)
    if not name or status not in STATUSES:
        raise InvalidVerdictError("missing field `name`" if not name else "unknown status")
    if payload is not None and not isinstance(payload, dict):
        raise InvalidVerdictError("invalid type: expected `payload` to be a map")
    if isinstance(severity, bool) or not isinstance(severity, int) or not 0 <= severity <= MAX_SEVERITY:
        raise InvalidVerdictError(f"expected `severity` to be a number from 0 to {MAX_SEVERITY}")
    summary, error = _text(fields, "summary", ""), _text(fields, "errorMessage", "")
    signal_id, run_id = str(uuid5(NAMESPACE_URL, f"{project}/{name}")), str(uuid4())
    event_id = ids.NIL if payload is None else str(uuid4())
    now = timestamps.text(time.time_ns())
    with database.writing() as connection:
        run = (project, signal_id, ids.NIL, ids.NIL, run_id, trace_id, error, status, event_id, now)
        connection.execute(_SAVE_RUN, run)
        if payload is not None:
            text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
            event = (
                project,
                event_id,
                signal_id,
                trace_id,
                run_id,
                name,
                text,
                now,
                severity,
                summary,
                arrays.pack([]),
            )
            connection.execute(_SAVE_EVENT, event)
    return {"signalId": signal_id, "runId": run_id, "eventId": event_id}


def _text(fields: dict[str, Any], key: str, default: str = "") -> str:
    value = fields.get(key, default)
    if not isinstance(value, str):
        raise InvalidVerdictError(f"invalid type: expected `{key}` to be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidVerdictError(f"`{key}` has half a character") from None
    return value
