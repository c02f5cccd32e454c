"""A trace's spans are read in pages, each after the last span of the page before."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import pytest

from reviewapp.laminar import Laminar, ResponseTooLong, SpanRow
from reviewapp.laminar.paging import span_pages
from tests.laminar.local_server import client_with_handler

TRACE = UUID(int=7)


def read_pages(laminar: Laminar, trace_id: UUID, max_spans: int, page_size: int = 500) -> list[list[SpanRow]]:
    async def query(sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return laminar.query(sql, parameters)

    async def read() -> list[list[SpanRow]]:
        return [page.readable async for page in span_pages(query, trace_id, max_spans, page_size)]

    return asyncio.run(read())


def laminar_with_spans(
    count: int,
    requests: list[dict[str, Any]],
    max_rows: int = 500,
    *,
    too_long: int = 0,
    changes: Mapping[int, dict[str, Any]] | None = None,
) -> Laminar:
    """A client for a trace of `count` spans, two per start time. Responses of over `max_rows` rows are too long.

    So is the whole row of span number `too_long`. `changes` are columns of spans, by number.
    """

    def respond(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        parameters = body["parameters"]
        requests.append(parameters)
        after = UUID(parameters["after"]).int if "after" in parameters else 0
        numbers = range(after + 1, min(count, after + parameters["limit"]) + 1)
        rows = [row(number) | (changes or {}).get(number, {}) for number in numbers]
        is_too_long = parameters["limit"] > max_rows or (too_long in numbers and "*" in body["query"])
        padding = "x" * 70_000_000 if is_too_long else ""
        return httpx.Response(200, text=json.dumps({"data": rows}) + " " * len(padding))

    return client_with_handler(respond)


def row(number: int) -> dict[str, Any]:
    moment = f"2026-11-22 10:00:00.{number // 2:09d}"
    return {"span_id": str(UUID(int=number)), "trace_id": str(TRACE), "name": "step", "start_time": moment,
            "end_time": moment}  # fmt: skip


def span_numbers(pages: list[list[SpanRow]]) -> list[list[int]]:
    return [[span.span_id.int for span in page] for page in pages]


def test_it_continues_after_the_last_span_in_nanoseconds() -> None:
    requests: list[dict[str, Any]] = []
    assert span_numbers(read_pages(laminar_with_spans(5, requests), TRACE, 100, 2)) == [[1, 2], [3, 4], [5]]
    assert requests[1]["since"] == "2026-11-22 10:00:00.000000001"
    assert requests[1]["after"] == str(UUID(int=2))


def test_it_reads_no_more_than_the_maximum() -> None:
    requests: list[dict[str, Any]] = []
    assert span_numbers(read_pages(laminar_with_spans(50, requests), TRACE, 3, 2)) == [[1, 2], [3]]
    assert [parameters["limit"] for parameters in requests] == [2, 1]


def test_it_shrinks_pages_when_a_response_is_too_long() -> None:
    requests: list[dict[str, Any]] = []
    assert span_numbers(read_pages(laminar_with_spans(3, requests, max_rows=2), TRACE, 100, 4)) == [[1, 2], [3]]
    assert [parameters["limit"] for parameters in requests] == [4, 2, 2]


def test_it_refuses_a_trace_when_every_response_is_too_long() -> None:
    with pytest.raises(ResponseTooLong):
        read_pages(laminar_with_spans(1, [], max_rows=0), TRACE, 1)


def test_it_skips_a_single_span_that_is_too_long() -> None:
    assert span_numbers(read_pages(laminar_with_spans(9, [], too_long=6), TRACE, 100, 4)) == [
        [1, 2, 3, 4], [5], [], [7, 8, 9],
    ]  # fmt: skip


def test_it_skips_a_span_that_cannot_be_read_even_at_the_end_of_a_page() -> None:
    bad = {"start_time": 5, "total_tokens": 1.5}
    assert span_numbers(read_pages(laminar_with_spans(5, [], changes={2: bad}), TRACE, 100, 2)) == [
        [1],
        [3],
        [4, 5],
        [],
    ]
