"""Signals of a server that answers otherwise."""

from typing import Any
from uuid import UUID

import pytest

from reviewapp.laminar import RequestRefused
from reviewapp.laminar.signals import build_verdicts
from tests.laminar.local_server import client_with_response

TRACE, RUN = UUID(int=1), UUID(int=2)
RUN_ROW: dict[str, Any] = {
    "trace_id": str(TRACE), "signal_id": str(UUID(int=3)), "run_id": str(RUN), "status": "COMPLETED",
    "event_id": str(UUID(int=0)), "updated_at": "2026-11-22 10:12:00.000000000", "mode": "BATCH", "extra": 1,
}  # fmt: skip


def test_it_knows_a_server_without_signals() -> None:
    error = {"error": "Query validation failed: Table 'signal_runs' does not exist"}
    assert client_with_response(400, error).signal_verdicts([TRACE]) is None


def test_it_raises_other_errors() -> None:
    with pytest.raises(RequestRefused):
        client_with_response(400, {"error": "Error executing query: out of memory"}).signal_verdicts([TRACE])


def test_it_skips_a_row_that_cannot_be_read() -> None:
    verdicts = build_verdicts([RUN_ROW, {**RUN_ROW, "updated_at": "soon"}], [{"id": 5}])
    assert [row.run_id for row in verdicts.readable] == [RUN]
    assert len(verdicts.unreadable) == 2


def test_it_counts_the_newest_row_of_a_run() -> None:
    later = {**RUN_ROW, "status": "FAILED", "updated_at": "2026-11-22 10:13:00.000000000"}
    assert [row.status for row in build_verdicts([later, RUN_ROW], []).readable] == ["FAILED"]
