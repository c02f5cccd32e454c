"""The official `lmnr` SDK against a real store."""

import json
import logging
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from lmnr import LaminarClient

from tests.tracestore_server import RunningStore


def _fetch_trace(laminar: LaminarClient, trace_id: str) -> dict[str, Any]:
    return laminar.sql.query("SELECT * FROM traces WHERE id = {id:UUID}", {"id": trace_id})[0]


def _fetch_spans(laminar: LaminarClient, trace_id: str) -> dict[str, dict[str, Any]]:
    query = "SELECT * FROM spans WHERE trace_id = {id:UUID} ORDER BY start_time"
    return {row["name"]: row for row in laminar.sql.query(query, {"id": trace_id})}


def test_it_stores_the_span_tree(laminar: LaminarClient, traced_id: str) -> None:
    spans = _fetch_spans(laminar, traced_id)
    assert list(spans) == ["agent", "look_up", "fail", "chat"]
    assert {spans[name]["parent_span_id"] for name in ("look_up", "fail", "chat")} == {spans["agent"]["span_id"]}
    assert (spans["look_up"]["path"], spans["look_up"]["span_type"]) == ("agent.look_up", "TOOL")


def test_it_stores_inputs_and_outputs(laminar: LaminarClient, traced_id: str) -> None:
    spans = _fetch_spans(laminar, traced_id)
    assert json.loads(spans["agent"]["input"]) == {"question": "Where is order 42?"}
    assert spans["agent"]["output"] == "It was sent."
    assert json.loads(spans["look_up"]["output"]) == {"order": "42", "state": "sent"}
    assert json.loads(spans["chat"]["input"])[0]["content"] == "Where is order 42?"


def test_it_marks_a_span_that_raised_as_an_error(laminar: LaminarClient, traced_id: str) -> None:
    spans = _fetch_spans(laminar, traced_id)
    assert {name for name, span in spans.items() if span["status"] == "error"} == {"fail"}
    assert spans["fail"]["events"][0]["name"] == "exception"


def test_it_aggregates_the_trace(laminar: LaminarClient, traced_id: str) -> None:
    row = _fetch_trace(laminar, traced_id)
    assert (row["status"], row["session_id"], row["user_id"]) == ("error", "session-1", "user-1")
    assert (row["top_span_name"], row["total_tokens"]) == ("agent", 14)
    assert sorted(row["tags"]) == ["beta", "slow"]


def test_it_keeps_the_types_of_metadata_set_during_the_trace(laminar: LaminarClient, traced_id: str) -> None:
    text = _fetch_trace(laminar, traced_id)["metadata"]
    stored = {"whole": "1", "real": "1.0", "flag": "true", "text": '"5"', "list": '["a"]', "environment": '"test"'}
    for key, value in stored.items():
        assert f'"{key}":{value}' in text
    assert r'"dict":"{\"a\":1}"' in text


def test_it_accepts_metadata_pushed_after_the_trace(laminar: LaminarClient, traced_id: str) -> None:
    laminar.traces.push_metadata(traced_id, {"review.score": 4, "review.notes": {"a": 1}})
    laminar.traces.push_metadata(UUID(traced_id).int, {"review.score": 5})
    stored = json.loads(_fetch_trace(laminar, traced_id)["metadata"])
    assert (stored["review.score"], stored["review.notes"], stored["environment"]) == (5, {"a": 1}, "test")


def test_it_refuses_an_unknown_trace(laminar: LaminarClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        laminar.traces.push_metadata(uuid4(), {"k": 1})
        assert laminar.tags.tag(uuid4(), "x") == []


def test_it_tags_the_top_span(laminar: LaminarClient, traced_id: str) -> None:
    assert laminar.tags.tag(traced_id, ["reviewed"]) == []
    assert _fetch_spans(laminar, traced_id)["agent"]["tags"] == ["beta", "reviewed"]
    assert "reviewed" not in _fetch_trace(laminar, traced_id)["tags"]


def test_it_refuses_an_invalid_query(laminar: LaminarClient) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        laminar.sql.query("SELECT * FROM nowhere")


def test_it_refuses_an_ingest_only_key(tracestore: RunningStore) -> None:
    client = LaminarClient(base_url=tracestore.url, project_api_key=tracestore.ingest_key)
    with client, pytest.raises(httpx.HTTPStatusError, match="404"):
        client.sql.query("SELECT 1")
