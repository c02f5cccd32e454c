"""POST /v1/tag: add tags to stored spans."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.tracestore.store_calls import fetch_spans, fetch_trace, send_span

TAGS = "lmnr.association.properties.tags"


def _post_tags(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/v1/tag", json=body)


def test_it_tags_the_top_span_of_a_trace_and_not_the_trace(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {TAGS: ["sent"]})
    response = _post_tags(full_client, names=["reviewed"], traceId=trace_id)
    assert (response.status_code, response.content) == (200, b"[]")
    assert fetch_spans(full_client, trace_id)[0]["tags"] == ["sent", "reviewed"]
    assert fetch_trace(full_client, trace_id)["tags"] == ["sent"]


def test_it_tags_one_span(full_client: httpx.Client, trace_id: str) -> None:
    span_id = str(uuid4())
    span = {"name": "s", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01Z"}
    full_client.post("/v1/spans", json=[span | {"traceId": trace_id, "spanId": span_id}])
    assert _post_tags(full_client, names=["a", "b"], spanId=span_id).status_code == 200
    assert fetch_spans(full_client, trace_id)[0]["tags"] == ["a", "b"]


def test_it_accepts_tags_when_the_root_span_is_missing(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, number=2, parent=1)
    assert _post_tags(full_client, names=["a"], traceId=trace_id).status_code == 200
    assert fetch_spans(full_client, trace_id)[0]["tags"] == []


def test_it_expands_tags_in_queries(full_client: httpx.Client, trace_id: str) -> None:
    send_span(full_client, trace_id, {TAGS: ["a", "b"]})
    query = "SELECT span_id, name, arrayJoin(tags) AS tag FROM spans WHERE trace_id = {id:UUID}"
    response = full_client.post("/v1/sql/query", json={"query": query, "parameters": {"id": trace_id}})
    assert [row["tag"] for row in response.json()["data"]] == ["a", "b"]


def test_it_refuses_an_empty_list_of_names(full_client: httpx.Client, trace_id: str) -> None:
    response = _post_tags(full_client, names=[], traceId=trace_id)
    assert (response.status_code, response.text) == (400, "No names provided")


@pytest.mark.parametrize("key", ["traceId", "spanId"])
def test_it_refuses_an_unknown_trace_or_span(full_client: httpx.Client, key: str) -> None:
    response = _post_tags(full_client, names=["a"], **{key: str(uuid4())})
    assert (response.status_code, response.text) == (404, "No matching spans found")


def test_it_refuses_an_ingest_only_key(ingest_client: httpx.Client, trace_id: str) -> None:
    response = _post_tags(ingest_client, names=["a"], traceId=trace_id)
    assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize("body", [{"names": ["a"]}, {"names": "a", "traceId": str(uuid4())}, {"traceId": str(uuid4())}])
def test_it_refuses_a_malformed_body(full_client: httpx.Client, body: dict[str, Any]) -> None:
    assert _post_tags(full_client, **body).status_code == 400
