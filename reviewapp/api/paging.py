"""Pages of a long list: a cursor says where the next page begins, whatever is added or removed meanwhile."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

from reviewapp.api.request_handling import RequestRejected
from reviewapp.lib import clock
from reviewapp.lib.numbers import parse_int

MAX_LIMIT, DEFAULT_LIMIT = 1_000, 100
MAX_CURSOR_LENGTH = 200
# What was changed in a transaction that is still open may become visible later with an earlier time.
OVERLAP = timedelta(minutes=1)
LIMIT_PARAMETER: dict[str, Any] = {
    "in": "query",
    "required": False,
    "name": "limit",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    "description": "How many a page has at most",
}
CURSOR_PARAMETER: dict[str, Any] = {
    "in": "query",
    "required": False,
    "name": "cursor",
    "schema": {"type": "string", "maxLength": MAX_CURSOR_LENGTH},
    "description": "Where the page begins: next_cursor of the page before. Leave it out for the first page",
}
UPDATED_SINCE_PARAMETER: dict[str, Any] = {
    "in": "query",
    "required": False,
    "name": "updated_since",
    "schema": {"type": "string", "format": "date-time"},
    "description": "Only what changed at or after this time, the earliest change first. To follow changes, send the"
    " next_updated_since of the last call; a minute is repeated, so that nothing is missed",
}


def parse_limit(query: QueryDict) -> int:
    """Raises RequestRejected."""
    text = query.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    limit = parse_int(text, max_value=MAX_LIMIT)
    if not limit:
        raise RequestRejected(f"The limit must be a whole number from 1 to {MAX_LIMIT:,}.")
    return limit


def parse_updated_since(query: QueryDict) -> datetime | None:
    """Raises RequestRejected."""
    text = query.get("updated_since")
    if text is None:
        return None
    try:
        # A + that was not escaped in the URL arrives as a space.
        moment = datetime.fromisoformat(text[:40].replace(" 0", "+0"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = "The updated_since must be a time such as 2026-11-30T12:00:00Z."
        raise RequestRejected(message) from None


def next_updated_since() -> str:
    """The time to ask from in the next round."""
    return clock.iso(clock.now() - OVERLAP)


def cut_page(rows: "QuerySet[Any]", query: QueryDict, *, time_field: str = "") -> tuple[list[Any], str | None]:
    """Return a page of the rows and the cursor of the next one, None at the end.

    Rows come in the order of `time_field`, if there is one, and their primary key. Raises RequestRejected.
    """
    limit, cursor = parse_limit(query), query.get("cursor")
    if cursor:
        rows = rows.filter(_after(*_decode(cursor), time_field))
    ordered = rows.order_by(*([time_field] if time_field else []), "pk")
    page = list(ordered[: limit + 1])
    if len(page) <= limit:
        return page, None
    return page[:limit], _encode(page[limit - 1], time_field)


def _after(pk: int, moment: datetime | None, time_field: str) -> Q:
    if not time_field:
        return Q(pk__gt=pk)
    if moment is None:
        raise RequestRejected("This cursor is of a call without updated_since. Begin again without a cursor.")
    return Q(**{f"{time_field}__gt": moment}) | Q(**{time_field: moment, "pk__gt": pk})


def _encode(row: Model, time_field: str) -> str:
    values: list[object] = [row.pk]
    if time_field:
        values.append(clock.iso(getattr(row, time_field)))
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[int, datetime | None]:
    """Raises RequestRejected."""
    try:
        text = base64.urlsafe_b64decode(cursor[:MAX_CURSOR_LENGTH].encode() + b"==")
        values: Sequence[Any] = json.loads(text)
        pk, moment = values[0], datetime.fromisoformat(values[1]) if len(values) > 1 else None
        if type(pk) is not int or not 0 <= pk < 2**63 or (moment is not None and moment.tzinfo is None):
            raise ValueError
    except (ValueError, TypeError, LookupError, binascii.Error, RecursionError):
        message = "The cursor is not one of this API. Send next_cursor of the page before, unchanged."
        raise RequestRejected(message) from None
    return pk, moment
