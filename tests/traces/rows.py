"""Rows of Laminar's SQL queries, with defaults for the columns that a test does not need."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from reviewapp.laminar import SpanRow, TraceRow
from reviewapp.laminar.rows import parse_span_row, parse_trace_row
from reviewapp.traces.metadata import span_values
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull

START_TIME = "2026-11-22 10:00:00.123456789"
END_TIME = "2026-11-22 10:00:02.000000000"


def trace_row(trace_id: UUID | None = None, metadata: str = "{}", **more: Any) -> TraceRow:
    """A row of a trace that took about two seconds; `more` are further columns."""
    columns = {"id": str(trace_id or uuid4()), "start_time": START_TIME, "end_time": END_TIME, "metadata": metadata}
    return parse_trace_row({**columns, **{name: _format_value(value) for name, value in more.items()}})


def span_row(number: int = 1, **more: Any) -> SpanRow:
    """A row of a span with this number; `more` are further columns."""
    columns = {
        "span_id": str(UUID(int=number)), "trace_id": str(UUID(int=1)), "name": f"step {number}",
        "start_time": START_TIME, "end_time": END_TIME,
    }  # fmt: skip
    return parse_span_row({**columns, **more})


def store_pulled_spans(trace: Trace, rows: Sequence[SpanRow]) -> None:
    """Store these spans of a trace as a complete pull does."""
    pull.finish_pull(trace, pull.store_spans(trace, rows))


def store_metadata_spans(trace: Trace, *members: dict[str, Any]) -> None:
    """Store one span for each of these, as a complete pull does, with them as the metadata that the span carries."""
    rows = [
        span_row(
            number, attributes=json.dumps({f"{span_values.PREFIXES[0]}{key}": value for key, value in each.items()})
        )
        for number, each in enumerate(members, 1)
    ]
    store_pulled_spans(trace, rows)


def _format_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
