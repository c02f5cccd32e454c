"""Times as ClickHouse writes a DateTime64(9): `YYYY-MM-DD hh:mm:ss.nnnnnnnnn`, UTC. They sort as text."""

import re
import time
from calendar import timegm
from datetime import UTC, datetime
from functools import lru_cache

# ClickHouse holds nanoseconds in a signed 64-bit number, which ends in the year 2262.
LAST = 2**63 - 1
_SECOND = 1_000_000_000

_SPELLING = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?)?\s*(?:Z|UTC|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)


class NotAMoment(ValueError):
    """The text is not a time."""


def text(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as text; values outside ClickHouse's range are moved to its edge."""
    if not 0 <= nanoseconds <= LAST:
        nanoseconds = min(max(nanoseconds, 0), LAST)
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{whole_second(seconds)}.{rest:09d}"


@lru_cache(maxsize=4096)
def whole_second(seconds: int) -> str:
    """Seconds since 1970 as `YYYY-MM-DD hh:mm:ss`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def parse(spelled: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 or ClickHouse time. Raises NotAMoment."""
    found = _SPELLING.fullmatch(spelled.strip())
    if found is None:
        raise NotAMoment(f"Cannot parse “{spelled[:60]}” as a time")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        raise NotAMoment(f"Cannot parse “{spelled[:60]}” as a time") from None
    seconds = timegm((year, month, day, hour, minute, second, 0, 0, 0))
    if found[8]:
        offset = int(found[9]) * 3600 + int(found[10]) * 60
        seconds += -offset if found[8] == "+" else offset
    return seconds * _SECOND + int((found[7] or "").ljust(9, "0"))


def seconds_between(start: str, end: str) -> float:
    """Seconds from one of this module's texts to another."""
    return (parse(end) - parse(start)) / _SECOND
