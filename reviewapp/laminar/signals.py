"""Laminar's signals: what its own judges said of a trace. Their tables are in SQL since June 2026."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from reviewapp.laminar import rows
from reviewapp.laminar.rows import ParsedRows, UnreadableRow

RUNS_QUERY = "SELECT * FROM signal_runs WHERE trace_id IN ({ids:Array(UUID)})"
EVENTS_QUERY = "SELECT * FROM signal_events WHERE trace_id IN ({ids:Array(UUID)})"


@dataclass(frozen=True, slots=True)
class SignalVerdict:
    """The newest verdict of one signal on one trace, as a judge's.

    `is_detected` is None until the run is completed; then it says whether the signal was found. What was found is
    `payload`, JSON text by the signal's own schema, with a `summary` and a `severity` from 0 to 2. `name` is empty if
    the signal was never found in these traces: only events carry it. `error` says why a run failed.
    """

    trace_id: UUID
    signal_id: UUID
    run_id: UUID
    name: str
    status: str
    is_detected: bool | None
    payload: str
    severity: int
    summary: str
    error: str
    judged_at: datetime


def build_verdicts(runs: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> ParsedRows[SignalVerdict]:
    """Join runs with their events: one verdict for each trace and signal, oldest first."""
    event_by_id: dict[UUID, Mapping[str, Any]] = {}
    names: dict[UUID, str] = {}
    unreadable: list[UnreadableRow] = []
    for event in events:
        try:
            event_by_id[rows.read_id(event, "id")] = event
            names[rows.read_id(event, "signal_id")] = rows.read_text(event, "name")
        except rows.InvalidColumnError as error:
            unreadable.append(rows.identify_row(event, str(error)))
    parsed = rows.parse_rows(runs, lambda run: _parse_run(run, event_by_id, names))
    newest: dict[tuple[UUID, UUID], SignalVerdict] = {}
    # A run has several rows until the database merges them: the newest one counts.
    for verdict in sorted(parsed.readable, key=lambda verdict: verdict.judged_at):
        newest.pop((verdict.trace_id, verdict.signal_id), None)
        newest[verdict.trace_id, verdict.signal_id] = verdict
    return ParsedRows(list(newest.values()), unreadable + parsed.unreadable)


def _parse_run(
    run: Mapping[str, Any], event_by_id: Mapping[UUID, Mapping[str, Any]], names: Mapping[UUID, str]
) -> SignalVerdict:
    status, signal_id = rows.read_text(run, "status"), rows.read_id(run, "signal_id")
    event_id = rows.read_id(run, "event_id")
    is_detected = event_id.int != 0
    event = event_by_id.get(event_id, {})
    return SignalVerdict(
        trace_id=rows.read_id(run, "trace_id"),
        signal_id=signal_id,
        run_id=rows.read_id(run, "run_id"),
        name=names.get(signal_id, ""),
        status=status,
        is_detected=is_detected if is_detected or status == "COMPLETED" else None,
        payload=rows.read_text(event, "payload"),
        severity=rows.read_count(event, "severity"),
        summary=rows.read_text(event, "summary"),
        error=rows.read_text(run, "error_message"),
        judged_at=rows.read_time(run, "updated_at"),
    )
