"""The time zone of the person who reads a page. Times are stored, compared and exported in UTC."""

import re
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, time, tzinfo
from functools import lru_cache

MAX_NAME_LENGTH = 64
# JSON Schema reads the same expression.
DUE_TIME_PATTERN = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_DUE_TIME = re.compile(DUE_TIME_PATTERN)
_zone: ContextVar[tzinfo] = ContextVar("time_zone", default=UTC)


@lru_cache(maxsize=1_000)
def find_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name, such as Europe/Berlin; UTC if there is none of that name."""
    if not name or len(name) > MAX_NAME_LENGTH:
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


@contextmanager
def use_zone(zone: tzinfo) -> Iterator[None]:
    """Show times in a zone until the block ends."""
    token = _zone.set(zone)
    try:
        yield
    finally:
        _zone.reset(token)


def is_utc() -> bool:
    return _zone.get() is UTC


def to_local(moment: datetime) -> datetime:
    """Convert an aware time to the reader's zone; a time at the edge of the calendar stays in UTC."""
    try:
        return moment.astimezone(_zone.get())
    except OverflowError:
        return moment.astimezone(UTC)


def parse_due_time(text: str) -> datetime | None:
    """Parse `2026-12-31` (the end of that day) or `2026-12-31T17:30`, in the reader's zone unless it names one.

    Returns a time in UTC; None for any other text.
    """
    if not _DUE_TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-12-31"):
            moment = datetime.combine(moment, time(23, 59))
        return (moment if moment.tzinfo else moment.replace(tzinfo=_zone.get())).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
