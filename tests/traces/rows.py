"""Rows as Laminar's SQL answers them, with what a test does not care about left out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from reviewapp.laminar import SpanRow, TraceRow, rows
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull

BEGAN = "2026-11-22 10:00:00.123456789"
ENDED = "2026-11-22 10:00:02.000000000"


def trace_row(trace_id: UUID | None = None, metadata: str = "{}", **more: Any) -> TraceRow:
    """A trace of two seconds; `more` are further columns."""
    columns = {"id": str(trace_id or uuid4()), "start_time": BEGAN, "end_time": ENDED, "metadata": metadata}
    return rows.parse_trace_row({**columns, **{name: _text(value) for name, value in more.items()}})


def span_row(number: int = 1, **more: Any) -> SpanRow:
    """Span `number` of some trace."""
    columns = {
        "span_id": str(UUID(int=number)), "trace_id": str(UUID(int=1)), "name": f"step {number}",
        "start_time": BEGAN, "end_time": ENDED,
    }  # fmt: skip
    return rows.parse_span_row({**columns, **more})


def store_pulled_spans(trace: Trace, given: Sequence[SpanRow]) -> None:
    """Leave a trace as a pull of all these spans does."""
    pull.finish_pull(trace, pull.store_spans(trace, given))


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
