"""A trace's spans come in pages, each after the last span of the one before."""

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


def pages(laminar: Laminar, trace_id: UUID, most: int, at_once: int = 500) -> list[list[SpanRow]]:
    async def query(sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return laminar.query(sql, parameters)

    async def read() -> list[list[SpanRow]]:
        return [page async for page in span_pages(query, trace_id, most, at_once)]

    return asyncio.run(read())


def holding(count: int, asked: list[dict[str, Any]], longest: int = 500) -> Laminar:
    """A Laminar with a trace of so many spans, two at a time; it answers too much for more than `longest` at once."""

    def answer(request: httpx.Request) -> httpx.Response:
        given = json.loads(request.content)["parameters"]
        asked.append(given)
        after = UUID(given["after"]).int if "after" in given else 0
        rows = [row(number) for number in range(after + 1, min(count, after + given["limit"]) + 1)]
        padding = "x" * 70_000_000 if given["limit"] > longest else ""
        return httpx.Response(200, text=json.dumps({"data": rows}) + " " * len(padding))

    return client_with_handler(answer)


def row(number: int) -> dict[str, Any]:
    moment = f"2026-11-22 10:00:00.{number // 2:09d}"
    return {"span_id": str(UUID(int=number)), "trace_id": str(TRACE), "name": "step", "start_time": moment,
            "end_time": moment}  # fmt: skip


def numbers(found: list[list[SpanRow]]) -> list[list[int]]:
    return [[span.span_id.int for span in page] for page in found]


def test_it_goes_on_after_the_last_span_in_its_nanoseconds() -> None:
    asked: list[dict[str, Any]] = []
    assert numbers(pages(holding(5, asked), TRACE, 100, 2)) == [[1, 2], [3, 4], [5]]
    assert asked[1]["since"] == "2026-11-22 10:00:00.000000001"
    assert asked[1]["after"] == str(UUID(int=2))


def test_it_reads_no_more_than_it_may() -> None:
    asked: list[dict[str, Any]] = []
    assert numbers(pages(holding(50, asked), TRACE, 3, 2)) == [[1, 2], [3]]
    assert [given["limit"] for given in asked] == [2, 1]


def test_it_asks_for_less_where_an_answer_is_too_long() -> None:
    asked: list[dict[str, Any]] = []
    assert numbers(pages(holding(3, asked, longest=2), TRACE, 100, 4)) == [[1, 2], [3]]
    assert [given["limit"] for given in asked] == [4, 2, 2]


def test_it_refuses_one_span_that_is_too_long() -> None:
    with pytest.raises(ResponseTooLong):
        pages(holding(1, [], longest=0), TRACE, 1)
