"""Times in ClickHouse's DateTime64(9) format, which sorts as text: `YYYY-MM-DD hh:mm:ss.nnnnnnnnn`, UTC."""

import re
import time
from calendar import timegm
from datetime import UTC, datetime
from functools import lru_cache

from reviewapp.lib.shortening import shorten

# ClickHouse stores nanoseconds as a signed 64-bit integer, which ends in the year 2262.
LAST = 2**63 - 1
_SECOND = 1_000_000_000

_TIME_PATTERN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?)?\s*(?:Z|UTC|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)


class InvalidTimeError(ValueError):
    """The text is not a time."""


def text(nanoseconds: int) -> str:
    """Format nanoseconds since 1970; values outside ClickHouse's range are clamped to it."""
    if not 0 <= nanoseconds <= LAST:
        nanoseconds = min(max(nanoseconds, 0), LAST)
    seconds, fraction = divmod(nanoseconds, _SECOND)
    return f"{format_seconds(seconds)}.{fraction:09d}"


@lru_cache(maxsize=4096)
def format_seconds(seconds: int) -> str:
    """Format seconds since 1970 as `YYYY-MM-DD hh:mm:ss`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def parse(value: str) -> int:
    """Convert an RFC 3339 or ClickHouse time to nanoseconds since 1970. Raises InvalidTimeError."""
    match = _TIME_PATTERN.fullmatch(value.strip())
    if match is None:
        raise InvalidTimeError(f"Cannot parse “{shorten(value, 60)}” as a time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        raise InvalidTimeError(f"Cannot parse “{shorten(value, 60)}” as a time") from None
    seconds = timegm((year, month, day, hour, minute, second, 0, 0, 0))
    if match[8]:
        offset = int(match[9]) * 3600 + int(match[10]) * 60
        seconds += -offset if match[8] == "+" else offset
    return seconds * _SECOND + int((match[7] or "").ljust(9, "0"))


def seconds_between(start: str, end: str) -> float:
    """Returns the seconds between two times in this format."""
    return (parse(end) - parse(start)) / _SECOND
