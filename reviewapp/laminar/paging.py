"""A trace's spans in pages: one answer holds neither a hundred thousand of them nor any number of long ones."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from reviewapp.laminar import rows
from reviewapp.laminar.errors import ResponseTooLong
from reviewapp.laminar.rows import SpanRow

AT_ONCE = 500
_SPANS = "SELECT * FROM spans WHERE trace_id = {id:UUID}"
# Laminar's own spelling of the last time: its clock counts nanoseconds, Python's does not.
_AFTER = " AND (start_time > {since:String} OR (start_time = {since:String} AND span_id > {after:UUID}))"
_ORDER = " ORDER BY start_time ASC, span_id ASC LIMIT {limit:UInt32}"

Query = Callable[[str, Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]


async def span_pages(query: Query, trace_id: UUID, most: int, at_once: int = AT_ONCE) -> AsyncIterator[list[SpanRow]]:
    """A trace's first `most` spans, oldest first; fewer at once where an answer would be too long.

    Raises LaminarError.
    """
    sql, parameters = _SPANS, {"id": trace_id}  # type: tuple[str, dict[str, Any]]
    while most > 0:
        limit = min(at_once, most)
        try:
            found = await query(sql + _ORDER, {**parameters, "limit": limit})
        except ResponseTooLong:
            if limit == 1:
                raise
            at_once = limit // 2
            continue
        yield [rows.parse_span_row(row) for row in found]
        if len(found) < limit:
            return
        most -= limit
        sql, parameters["since"], parameters["after"] = _SPANS + _AFTER, found[-1]["start_time"], found[-1]["span_id"]
