"""Signals: the verdicts of Laminar's own judges, read through SQL as its tables have them."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from reviewapp.laminar import Laminar
from tests.tracestore.store_calls import send_span
from tests.tracestore_server import RunningStore


@pytest.fixture
def client(tracestore: RunningStore) -> httpx.Client:
    return tracestore.client()


@pytest.fixture
def reader(tracestore: RunningStore) -> Laminar:
    return Laminar(tracestore.url, tracestore.full_key, allowed_hosts=["127.0.0.1"])


def judge(client: httpx.Client, trace_id: str, **fields: Any) -> httpx.Response:
    return client.post("/v1/embedded/signals", json={"traceId": trace_id, "name": "refusal", **fields})


def test_it_reads_what_a_signal_found(client: httpx.Client, reader: Laminar, trace_id: str) -> None:
    send_span(client, trace_id)
    ids = judge(client, trace_id, payload={"score": 1, "why": "é"}, severity=2, summary="Refused").json()
    verdicts = reader.signal_verdicts([UUID(trace_id)])
    assert verdicts is not None
    (verdict,) = verdicts.readable
    assert (verdict.name, verdict.status, verdict.is_detected) == ("refusal", "COMPLETED", True)
    assert (verdict.payload, verdict.severity, verdict.summary) == ('{"score":1,"why":"é"}', 2, "Refused")
    assert (verdict.trace_id, str(verdict.run_id)) == (UUID(trace_id), ids["runId"])


@pytest.mark.parametrize(("status", "is_detected"), [("COMPLETED", False), ("FAILED", None), ("PENDING", None)])
def test_it_tells_a_run_that_found_nothing_from_an_open_one(
    client: httpx.Client, reader: Laminar, trace_id: str, status: str, is_detected: bool | None
) -> None:
    send_span(client, trace_id)
    judge(client, trace_id, status=status, errorMessage="too long")
    verdicts = reader.signal_verdicts([UUID(trace_id)])
    assert verdicts is not None
    assert [(row.is_detected, row.payload, row.error) for row in verdicts.readable] == [(is_detected, "", "too long")]


def test_it_keeps_the_newest_verdict_of_each_signal(client: httpx.Client, reader: Laminar, trace_id: str) -> None:
    send_span(client, trace_id)
    judge(client, trace_id, payload={"old": True})
    judge(client, trace_id, name="other")
    judge(client, trace_id, payload={"old": False})
    verdicts = reader.signal_verdicts([UUID(trace_id), uuid4()])
    assert verdicts is not None
    assert [(row.name, row.payload) for row in verdicts.readable] == [("", ""), ("refusal", '{"old":false}')]


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": 1}, {"status": "DONE"}, {"payload": []}, {"severity": 3}, {"severity": True}],
    ids=str,
)
def test_it_refuses_an_invalid_verdict(client: httpx.Client, trace_id: str, fields: dict[str, Any]) -> None:
    send_span(client, trace_id)
    assert judge(client, trace_id, **fields).status_code == 400
    assert judge(client, str(uuid4())).status_code == 404
