"""Read a trace's spans in pages: one response cannot carry a hundred thousand spans, or many long ones."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from reviewapp.laminar import rows
from reviewapp.laminar.errors import ResponseTooLong
from reviewapp.laminar.rows import SpanRow

PAGE_SIZE = 500
_SELECT_SPANS = "SELECT * FROM spans WHERE trace_id = {id:UUID}"
# `since` is the last start time as Laminar spells it: it has nanoseconds, Python's datetime does not.
_AFTER = " AND (start_time > {since:String} OR (start_time = {since:String} AND span_id > {after:UUID}))"
_ORDER = " ORDER BY start_time ASC, span_id ASC LIMIT {limit:UInt32}"

Query = Callable[[str, Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]


async def span_pages(
    query: Query, trace_id: UUID, max_spans: int, page_size: int = PAGE_SIZE
) -> AsyncIterator[list[SpanRow]]:
    """Yield a trace's first `max_spans` spans in pages, oldest first. Pages shrink if a response would be too long.

    Raises LaminarError.
    """
    sql, parameters = _SELECT_SPANS, {"id": trace_id}  # type: tuple[str, dict[str, Any]]
    remaining = max_spans
    while remaining > 0:
        limit = min(page_size, remaining)
        try:
            page = await query(sql + _ORDER, {**parameters, "limit": limit})
        except ResponseTooLong:
            if limit == 1:
                raise
            page_size = limit // 2
            continue
        yield [rows.parse_span_row(row) for row in page]
        if len(page) < limit:
            return
        remaining -= limit
        sql = _SELECT_SPANS + _AFTER
        parameters["since"], parameters["after"] = page[-1]["start_time"], page[-1]["span_id"]
