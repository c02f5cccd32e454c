"""POST /v1/spans: spans in plain JSON."""

from typing import Any

import httpx
import pytest

from tests.tracestore.store_calls import fetch_spans, fetch_trace

SPAN = {"name": "root", "startTime": "2026-01-02T03:04:05.123456789Z", "endTime": "2026-01-02T05:04:06+02:00"}


def _create_span(client: httpx.Client, trace_id: str, **more: Any) -> httpx.Response:
    return client.post("/v1/spans", json=[SPAN | {"traceId": trace_id} | more])


def test_it_returns_the_ids(full_client: httpx.Client, trace_id: str) -> None:
    span_id = "11111111-2222-3333-4444-555555555555"
    response = _create_span(full_client, trace_id, spanId=span_id)
    assert (response.status_code, response.json()) == (200, [{"spanId": span_id, "traceId": trace_id}])
    assert fetch_spans(full_client, trace_id)[0]["span_id"] == span_id


def test_it_generates_missing_ids(full_client: httpx.Client) -> None:
    ids = full_client.post("/v1/spans", json=[SPAN]).json()[0]
    assert fetch_trace(full_client, ids["traceId"])["top_span_id"] == ids["spanId"]


def test_it_reads_times_with_zones_and_nanoseconds(full_client: httpx.Client, trace_id: str) -> None:
    _create_span(full_client, trace_id)
    row = fetch_spans(full_client, trace_id)[0]
    assert row["start_time"] == "2026-01-02 03:04:05.123456789"
    assert row["end_time"] == "2026-01-02 03:04:06.000000000"


def test_it_keeps_type_input_output_and_attributes(full_client: httpx.Client, trace_id: str) -> None:
    attributes = {"lmnr.association.properties.metadata.k": 5}
    _create_span(full_client, trace_id, spanType="TOOL", input={"q": 1.5}, output="done", attributes=attributes)
    row = fetch_spans(full_client, trace_id)[0]
    assert (row["span_type"], row["input"], row["output"]) == ("TOOL", '{"q":1.5}', "done")
    assert fetch_trace(full_client, trace_id)["metadata"] == '{"k":5}'


def test_it_keeps_numbers_as_written(full_client: httpx.Client, trace_id: str) -> None:
    numbers = f"[1.10, 1E2, -0, {'9' * 30}]"
    body = f'[{{"name":"x","startTime":"{SPAN["startTime"]}","endTime":"{SPAN["endTime"]}","traceId":"{trace_id}"'
    content = f'{body},"input":{numbers}}}]'.encode()
    full_client.post("/v1/spans", content=content, headers={"Content-Type": "application/json"})
    assert fetch_spans(full_client, trace_id)[0]["input"] == numbers.replace(" ", "")


@pytest.mark.parametrize(
    "body",
    [{}, ["x"], [{"name": "x"}], [SPAN | {"traceId": "nonsense"}], [SPAN | {"startTime": "2026-13-01T00:00:00Z"}]],
)
def test_it_refuses_an_invalid_list_of_spans(full_client: httpx.Client, body: Any) -> None:
    response = full_client.post("/v1/spans", json=body)
    assert (response.status_code, response.text.startswith("Json deserialize error: ")) == (400, True)


def test_it_refuses_a_wrong_content_type(full_client: httpx.Client) -> None:
    response = full_client.post("/v1/spans", content=b"[]", headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.text) == (400, "Content type error")
