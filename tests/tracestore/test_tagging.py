"""POST /v1/tag: names on a span, after the fact."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.tracestore.store_calls import fetch_spans, fetch_trace, send_span

TAGS = "lmnr.association.properties.tags"


def _tag(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/v1/tag", json=body)


def test_it_tags_the_top_span_of_a_trace_and_not_the_trace(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {TAGS: ["sent"]})
    answer = _tag(full_client, names=["reviewed"], traceId=trace_id)
    assert (answer.status_code, answer.content) == (200, b"")
    assert fetch_spans(full_client, trace_id)[0]["tags"] == ["sent", "reviewed"]
    assert fetch_trace(full_client, trace_id)["tags"] == ["sent"]


def test_it_tags_one_span(full_client: httpx.Client, trace_id: str) -> None:
    span_id = str(uuid4())
    span = {"name": "s", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01Z"}
    full_client.post("/v1/spans", json=[span | {"traceId": trace_id, "spanId": span_id}])
    assert _tag(full_client, names=["a", "b"], spanId=span_id).status_code == 200
    assert fetch_spans(full_client, trace_id)[0]["tags"] == ["a", "b"]


def test_it_answers_200_when_the_root_has_not_come(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, number=2, parent=1)
    assert _tag(full_client, names=["a"], traceId=trace_id).status_code == 200
    assert fetch_spans(full_client, trace_id)[0]["tags"] == []


def test_it_unrolls_tags_in_queries(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {TAGS: ["a", "b"]})
    query = "SELECT span_id, name, arrayJoin(tags) AS tag FROM spans WHERE trace_id = {id:UUID}"
    answer = full_client.post("/v1/sql/query", json={"query": query, "parameters": {"id": trace_id}})
    assert [row["tag"] for row in answer.json()["data"]] == ["a", "b"]


def test_it_refuses_no_names(full_client: httpx.Client, trace_id: str) -> None:
    answer = _tag(full_client, names=[], traceId=trace_id)
    assert (answer.status_code, answer.text) == (400, "No names provided")


@pytest.mark.parametrize("key", ["traceId", "spanId"])
def test_it_refuses_what_it_does_not_know(full_client: httpx.Client, key: str) -> None:
    answer = _tag(full_client, names=["a"], **{key: str(uuid4())})
    assert (answer.status_code, answer.text) == (404, "No matching spans found")


def test_it_refuses_an_ingest_only_key(ingest_client: httpx.Client, trace_id: str) -> None:
    answer = _tag(ingest_client, names=["a"], traceId=trace_id)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("body", [{"names": ["a"]}, {"names": "a", "traceId": str(uuid4())}, {"traceId": str(uuid4())}])
def test_it_refuses_a_malformed_body(full_client: httpx.Client, body: dict[str, Any]) -> None:
    assert _tag(full_client, **body).status_code == 400
