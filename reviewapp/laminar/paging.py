"""Read a trace's spans in pages: one response cannot carry a hundred thousand spans, or many long ones."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from reviewapp.laminar import rows
from reviewapp.laminar.errors import UnexpectedResponse
from reviewapp.laminar.rows import ParsedRows, SpanRow

PAGE_SIZE = 500
_FROM_TRACE = "FROM spans WHERE trace_id = {id:UUID}"
# `since` is the last start time as Laminar spells it: it has nanoseconds, Python's datetime does not.
_AFTER = " AND (start_time > {since:String} OR (start_time = {since:String} AND span_id > {after:UUID}))"
_ORDER = " ORDER BY start_time ASC, span_id ASC LIMIT {limit:UInt32}"

Query = Callable[[str, Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]


async def span_pages(
    query: Query, trace_id: UUID, max_spans: int, page_size: int = PAGE_SIZE
) -> AsyncIterator[ParsedRows[SpanRow]]:
    """Yield a trace's first `max_spans` spans in pages, oldest first. Pages shrink if a response would be too long.

    A span that cannot be read, or is too long alone, is skipped. Raises LaminarError.
    """
    condition, parameters = _FROM_TRACE, {"id": trace_id}  # type: tuple[str, dict[str, Any]]
    remaining, limit = max_spans, page_size
    while remaining > 0:
        limit = min(limit, remaining)
        try:
            page = await query(f"SELECT * {condition}{_ORDER}", {**parameters, "limit": limit})
            parsed, is_last = rows.parse_rows(page, rows.parse_span_row), len(page) < limit
        except UnexpectedResponse as error:
            if limit > 1:
                limit //= 2
                continue
            # Raises if the server answers nothing at all; else the span is to blame, and the next ones are read.
            page = await query(f"SELECT span_id, start_time {condition}{_ORDER}", {**parameters, "limit": 1})
            parsed = ParsedRows([], [rows.identify_row(row, error.problem, is_too_long=True) for row in page])
            is_last, limit = not page, page_size
        yield parsed
        if is_last:
            return
        remaining -= len(page)
        condition = f"{_FROM_TRACE}{_AFTER}"
        parameters |= _get_cursor(page, parameters)


def _get_cursor(page: list[dict[str, Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The position of the last span of a page that has one. Raises UnexpectedResponse if there is no progress."""
    for row in reversed(page):
        since, after = row.get("start_time"), row.get("span_id")
        if isinstance(since, str) and isinstance(after, str) and (since, after) != (
            parameters.get("since"), parameters.get("after"),
        ):  # fmt: skip
            return {"since": since, "after": after}
    raise UnexpectedResponse("Laminar's response has spans without a start time or an id.", status=200)
