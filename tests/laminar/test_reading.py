import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from reviewapp.laminar import (
    EndpointNotFound,
    LaminarError,
    RateLimited,
    RequestRefused,
    ServerError,
    SpanRow,
    UnexpectedResponse,
    UnreadableRow,
    rows,
)
from tests.laminar.local_server import client_with_handler, client_with_response, respond_with, run_server
from tests.laminar.test_paging import read_pages

TRACE = UUID("0af76519-16cd-43dd-8448-eb211c80319c")
TRACE_COLUMNS: dict[str, Any] = {
    "id": str(TRACE),
    "start_time": "2026-11-22 10:12:00.123456789",
    "end_time": "2026-11-22 10:12:03.000000000",
    "duration": 2.876543211,
    "metadata": '{"b": 1.0,"a":"é"}',
    "top_span_id": "00000000-0000-0000-b7ad-6b7169203331",
    "tags": ["slow"],
    "total_tokens": 9007199254740993,
    "total_cost": 0.25,
    "agent_input": "a column that we do not use",
}
SPAN_COLUMNS: dict[str, Any] = {
    "span_id": "00000000-0000-0000-b7ad-6b7169203331",
    "trace_id": str(TRACE),
    "parent_span_id": "00000000-0000-0000-0000-000000000000",
    "name": "plan",
    "start_time": "2026-11-22 10:12:00.000000000",
    "end_time": "2026-11-22 10:12:01.500000000",
    "duration": 1.5,
    "attributes": '{"n":1.0}',
    "events": [{"timestamp": 1795342320000000001, "name": "exception", "attributes": '{"a":1}'}],
}


def unreadable(trace_id: UUID, reason: str) -> UnreadableRow:
    return UnreadableRow(trace_id, reason, datetime(2026, 11, 22, 10, 12, 0, 123456, UTC))


def parse_spans(*rows: dict[str, Any]) -> list[SpanRow]:
    """Return the spans that a client reads from a response of these rows."""
    return [span for page in read_pages(client_with_response(200, {"data": list(rows)}), TRACE, 10) for span in page]


def test_it_reads_a_trace() -> None:
    (trace,) = client_with_response(200, {"data": [TRACE_COLUMNS]}).traces([TRACE]).readable
    assert trace.id == TRACE
    assert trace.start_time == datetime(2026, 11, 22, 10, 12, 0, 123456, UTC)
    assert trace.top_span_id == UUID("00000000-0000-0000-b7ad-6b7169203331")
    assert (trace.duration, trace.tags, trace.total_tokens) == (2.876543211, ["slow"], 9007199254740993)


def test_it_keeps_the_spelling_of_metadata() -> None:
    (trace,) = client_with_response(200, {"data": [TRACE_COLUMNS]}).traces([TRACE]).readable
    assert trace.metadata == '{"b": 1.0,"a":"é"}'


def test_it_reads_only_the_metadata() -> None:
    response = client_with_response(200, {"data": [TRACE_COLUMNS | {"start_time": None}]})
    assert response.fetch_metadata([TRACE]) == ([(TRACE, '{"b": 1.0,"a":"é"}')], [])


def test_it_reports_metadata_that_is_not_a_string() -> None:
    client = client_with_response(200, {"data": [TRACE_COLUMNS | {"metadata": None}]})
    assert client.fetch_metadata([TRACE]) == ([], [unreadable(TRACE, "“metadata” is not a text")])


def test_it_fills_missing_columns() -> None:
    (trace,) = client_with_response(200, {"data": [TRACE_COLUMNS]}).traces([TRACE]).readable
    assert (trace.session_id, trace.reasoning_tokens, trace.trace_tags, trace.input_cost) == ("", 0, [], 0.0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", None),
        ("id", "x"),
        ("id", 5),
        ("start_time", "soon"),
        ("metadata", {"a": 1}),
        ("duration", "x"),
        ("total_cost", "x"),
        ("total_tokens", True),
        ("total_tokens", 2**63),
        ("tags", 5),
        ("tags", [5]),
        ("tags", "slow"),
        ("tags", {"slow": 1}),
    ],
)
def test_it_leaves_out_only_the_row_with_a_column_of_another_type(column: str, value: object) -> None:
    bad, good = TRACE_COLUMNS | {column: value}, TRACE_COLUMNS | {"id": str(UUID(int=1))}
    page = client_with_response(200, {"data": [bad, good]}).traces([TRACE, UUID(int=1)])
    assert [trace.id for trace in page.readable] == [UUID(int=1)]
    (row,) = page.unreadable
    assert row.reason.startswith(f"“{column}” is not ")
    assert row.id == (None if column == "id" else TRACE)


@pytest.mark.parametrize("row", [None, 5, "x", []], ids=str)
def test_it_leaves_out_only_a_row_that_is_no_object(row: object) -> None:
    page = client_with_response(200, {"data": [row, TRACE_COLUMNS]}).find_traces([])
    assert ([trace.id for trace in page.readable], [bad.id for bad in page.unreadable]) == ([TRACE], [None])


def test_it_leaves_out_a_row_with_an_infinite_number() -> None:
    body = json.dumps({"data": [TRACE_COLUMNS]}).replace("0.25", "1e999")
    page = client_with_response(200, body.encode()).traces([TRACE])
    assert page == ([], [unreadable(TRACE, "“total_cost” is not a finite number")])


@pytest.mark.parametrize("number", [1.08e19, 2**64 - 1, "x"])
def test_it_gives_the_reason_and_the_start_of_an_unreadable_row(number: object) -> None:
    page = client_with_response(200, {"data": [TRACE_COLUMNS | {"total_tokens": number}]}).find_traces([])
    assert page == ([], [unreadable(TRACE, "“total_tokens” is not a whole number below 2^63")])


@pytest.mark.parametrize("year", ["1899", "3000", "9999"])
def test_it_leaves_out_a_row_with_a_time_that_nothing_can_compute_with(year: str) -> None:
    client = client_with_response(200, {"data": [TRACE_COLUMNS | {"start_time": f"{year}-12-31 23:59:59.999999999"}]})
    (row,) = client.traces([TRACE]).unreadable
    assert (row.reason, row.start_time) == ("“start_time” is not a time between 1900 and 2999", None)


def test_it_finds_the_one_trace_that_makes_a_response_too_long() -> None:
    ids = [UUID(int=number) for number in range(1, 9)]

    def respond(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        requested = body["parameters"]["ids"]
        is_too_long = str(ids[5]) in requested and "*" in body["query"]
        rows = [TRACE_COLUMNS | {"id": trace_id} for trace_id in requested]
        return httpx.Response(200, text=json.dumps({"data": rows}) + " " * (70_000_000 if is_too_long else 0))

    page = client_with_handler(respond).traces(ids)
    assert [trace.id for trace in page.readable] == ids[:5] + ids[6:]
    reason = "Laminar's response is longer than 67108864 bytes"
    assert page.unreadable == [UnreadableRow(ids[5], reason, is_too_long=True)]


def test_it_blames_the_server_when_no_response_can_be_read() -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, text="<html>")

    with pytest.raises(UnexpectedResponse, match="base URL"):
        client_with_handler(respond).traces([UUID(int=number) for number in range(8)])
    assert len(requests) == 5


def test_it_replaces_characters_that_cannot_be_stored() -> None:
    (trace,) = (
        client_with_response(200, {"data": [TRACE_COLUMNS | {"user_id": "a\x00b\ud800"}]}).traces([TRACE]).readable
    )
    assert trace.user_id == "a\ufffdb?"


def test_it_replaces_bytes_that_are_not_utf8() -> None:
    (row,) = client_with_response(200, b'{"data":[{"name":"a\xff"}]}').query("SELECT name FROM spans")
    assert row == {"name": "a\ufffd"}


def test_it_reads_a_span() -> None:
    (span,) = parse_spans(SPAN_COLUMNS)
    assert (span.name, span.parent_span_id, span.duration) == ("plan", None, 1.5)
    assert span.attributes == '{"n":1.0}'
    assert span.events == [{"timestamp": 1795342320000000001, "name": "exception", "attributes": '{"a":1}'}]


def test_it_leaves_out_a_span_whose_events_are_no_list() -> None:
    assert parse_spans(SPAN_COLUMNS | {"events": 5}) == []


@pytest.mark.parametrize("event", ["x", {"timestamp": "x"}, {"timestamp": 2**64}, {"timestamp": 1.5}])
def test_it_leaves_out_only_an_event_of_another_type(event: object) -> None:
    (span,) = parse_spans(SPAN_COLUMNS | {"events": [event, *SPAN_COLUMNS["events"]]})
    assert [event["name"] for event in span.events] == ["exception"]
    assert span.event_error.startswith("of an event, “")


def test_it_reads_the_latest_time_of_an_event() -> None:
    (span,) = parse_spans(SPAN_COLUMNS | {"events": [{"timestamp": 2**64 - 1, "name": "late", "attributes": ""}]})
    assert (span.events[0]["timestamp"], span.event_error) == (2**64 - 1, "")


def test_it_sends_no_request_for_no_traces() -> None:
    assert client_with_response(500).traces([]) == ([], [])


def test_it_requests_many_traces_in_batches() -> None:
    with run_server(respond_with(b'{"data":[]}')) as server:
        server.laminar().traces([TRACE] * 1001)
    assert [request.count(str(TRACE).encode()) for request in server.requests] == [500, 500, 1]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"data":{}}', b'{"data":[1]}', b'{"data":[]', b"null", b"<html>"]
)
def test_it_refuses_a_response_without_rows(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        client_with_response(200, body).query("SELECT 1")


@pytest.mark.parametrize("body", [b'{"data":[{"a":1,"a":2}]}', b'{"data":[{"a":NaN}]}', b"[" * 100_000])
def test_it_refuses_json_that_is_not_strict(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse, match="not JSON"):
        client_with_response(200, body).query("SELECT 1")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "Query validation failed: Table 'x' is not allowed"}, RequestRefused),
        (404, b"", EndpointNotFound),
        (404, "Trace not found", EndpointNotFound),
        (429, b"", RateLimited),
        (500, {"error": "Error executing query: Timeout"}, ServerError),
        (201, {"data": []}, UnexpectedResponse),
    ],
)
def test_it_refuses_a_failed_query(status: int, body: object, kind: type[LaminarError]) -> None:
    with pytest.raises(kind) as caught:
        client_with_response(status, body).query("SELECT 1")
    assert type(caught.value) is kind


def test_it_refuses_a_question_mark_in_a_query() -> None:
    with pytest.raises(RequestRefused, match="question mark"):
        client_with_handler(lambda _: pytest.fail("a request was sent")).query("SELECT '?'")


def test_it_refuses_a_time_without_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        client_with_response().query("SELECT {at:String}", {"at": datetime(2026, 11, 22)})  # noqa: DTZ001


def test_it_reads_a_bounded_number_of_events() -> None:
    (span,) = parse_spans(SPAN_COLUMNS | {"events": [{}] * (rows.MAX_EVENTS + 5)})
    assert len(span.events) == rows.MAX_EVENTS + 1
    assert span.events[-1]["name"] == "5 more events of this span are in Laminar and not stored here."


def test_it_reads_json_where_it_expects_the_text_of_json() -> None:
    (span,) = parse_spans({**SPAN_COLUMNS, "input": [{"role": "user"}], "output": {"a": 1}, "attributes": {"k": True}})
    assert (span.input, span.output, span.attributes) == ('[{"role":"user"}]', '{"a":1}', '{"k":true}')


@pytest.mark.parametrize("columns", [{"agent_input": "hi", "metadata_map": {"a": "1"}}, {"trace_outputs": []}])
def test_it_ignores_columns_that_come_later(columns: dict[str, Any]) -> None:
    assert client_with_response(200, {"data": [{**TRACE_COLUMNS, **columns}]}).traces([TRACE]).readable[0].id == TRACE


@pytest.mark.parametrize("missing", sorted(TRACE_COLUMNS.keys() - {"id", "start_time", "end_time", "metadata"}))
def test_it_reads_a_trace_without_a_column(missing: str) -> None:
    row = {name: value for name, value in TRACE_COLUMNS.items() if name != missing}
    assert client_with_response(200, {"data": [row]}).traces([TRACE]).readable[0].id == TRACE


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", '"ok"', '{"success":true}'])
def test_it_accepts_any_json_as_the_answer_to_a_write(body: str) -> None:
    client_with_response(200, body.encode()).push_metadata(TRACE, {"score": 1})
    client_with_response(200, body.encode()).tag(["done"], trace_id=TRACE)
