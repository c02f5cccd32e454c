"""ClickHouse's functions of time, over texts: `YYYY-MM-DD`, `… hh:mm:ss`, `… hh:mm:ss.nnnnnnnnn`."""

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from reviewapp.tracestore import timestamps

Moment = str | int | float | bytes

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNITS = frozenset({*_SECONDS, *_MONTHS, "nanosecond", "microsecond", "millisecond"})
_NANOSECONDS = {"nanosecond": 1, "microsecond": 1000, "millisecond": 1_000_000} | {
    unit: seconds * 1_000_000_000 for unit, seconds in _SECONDS.items()
}
_DATE = len("2026-01-01")
_WHOLE = len("2026-01-01 00:00:00")


def nanoseconds(moment: Moment) -> int:
    """Nanoseconds since 1970 of a text, or of a number of seconds. Raises moments.NotAMoment."""
    if isinstance(moment, bytes):
        raise timestamps.NotAMoment("An array is not a time")
    return timestamps.parse(moment) if isinstance(moment, str) else int(moment * 1_000_000_000)


def full(moment: Moment | None) -> str | None:
    """As a DateTime64(9), the spelling in which columns and constants are compared."""
    return None if moment is None else timestamps.text(nanoseconds(moment))


def with_scale(moment: Moment, scale: int = 3, _zone: str = "UTC") -> str:
    """As a DateTime64 with `scale` digits after the second."""
    return timestamps.text(nanoseconds(moment))[: _WHOLE + (scale + 1 if scale else 0)]


def whole(moment: Moment, _zone: str = "UTC") -> str:
    """As a DateTime."""
    return timestamps.text(nanoseconds(moment))[:_WHOLE]


def day(moment: Moment, _zone: str = "UTC") -> str:
    """As a Date."""
    return timestamps.text(nanoseconds(moment))[:_DATE]


def start_of(unit: str) -> Callable[..., str]:
    """A function that cuts a time to the start of its minute, hour, day, week (Sunday), month or year."""

    def cut(moment: Moment, _mode: Moment = 0) -> str:
        text = whole(moment)
        if unit in ("minute", "hour"):
            return f"{text[:16]}:00" if unit == "minute" else f"{text[:13]}:00:00"
        if unit == "day":
            return f"{text[:_DATE]} 00:00:00"
        if unit in ("week", "monday"):
            on = date.fromisoformat(text[:_DATE])
            back = on.weekday() if unit == "monday" else on.isoweekday() % 7
            return (on - timedelta(days=back)).isoformat()
        return f"{text[:7]}-01" if unit == "month" else f"{text[:4]}-01-01"

    return cut


def shifted(moment: str, count: float, unit: str) -> str:
    """A time moved by whole units; months keep the day where the month has it."""
    # Numbers only: Python would repeat a text that often.
    count = float(count)
    if unit in _MONTHS:
        text = _months_later(moment, int(count) * _MONTHS[unit])
    else:
        text = timestamps.text(nanoseconds(moment) + int(count * _NANOSECONDS[unit]))
    if len(moment) == _DATE and unit in ("day", "week", *_MONTHS):
        return text[:_DATE]
    return text[: max(len(moment), _WHOLE)] if unit in (*_SECONDS, *_MONTHS) else text


def difference(unit: str, start: Moment, end: Moment, _zone: str = "UTC") -> int:
    """How many borders of a unit lie between two times."""
    unit = unit.lower()
    if unit in _MONTHS:
        return _month_number(end) // _MONTHS[unit] - _month_number(start) // _MONTHS[unit]
    size = _NANOSECONDS[unit]
    # 1970 began on a Thursday; ClickHouse's weeks begin on Monday.
    shift = 3 * _NANOSECONDS["day"] if unit == "week" else 0
    return (nanoseconds(end) + shift) // size - (nanoseconds(start) + shift) // size


def seconds_between(end: str, start: str) -> float:
    """What `end - start` is for two times: seconds."""
    return (nanoseconds(end) - nanoseconds(start)) / 1_000_000_000


def since_1970(unit: str) -> Callable[..., int]:
    """A function that counts a time in units since 1970."""
    return lambda moment, _zone="UTC": nanoseconds(moment) // _NANOSECONDS[unit]


def from_1970(unit: str, digits: int) -> Callable[..., str]:
    """A function that reads a count of units since 1970."""
    return lambda count, _zone="UTC": timestamps.text(int(count) * _NANOSECONDS[unit])[: _WHOLE + digits]


def _months_later(moment: str, months: int) -> str:
    text = timestamps.text(nanoseconds(moment))
    year, month = divmod(int(text[:4]) * 12 + int(text[5:7]) - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return f"{year:04d}-{month + 1:02d}-{min(int(text[8:10]), last):02d}{text[_DATE:]}"


def _month_number(moment: Moment) -> int:
    text = timestamps.text(nanoseconds(moment))
    return int(text[:4]) * 12 + int(text[5:7]) - 1


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "toDateTime": whole,
    "toDateTime64": with_scale,
    "parseDateTimeBestEffort": whole,
    "parseDateTime64BestEffort": with_scale,
    "toDate": day,
    "toStartOfMinute": start_of("minute"),
    "toStartOfHour": start_of("hour"),
    "toStartOfDay": start_of("day"),
    "toStartOfWeek": start_of("week"),
    "toMonday": start_of("monday"),
    "toStartOfMonth": start_of("month"),
    "toStartOfYear": start_of("year"),
    "toUnixTimestamp": since_1970("second"),
    "toUnixTimestamp64Milli": since_1970("millisecond"),
    "toUnixTimestamp64Micro": since_1970("microsecond"),
    "toUnixTimestamp64Nano": since_1970("nanosecond"),
    "fromUnixTimestamp": from_1970("second", 0),
    "fromUnixTimestamp64Milli": from_1970("millisecond", 4),
    "fromUnixTimestamp64Micro": from_1970("microsecond", 7),
    "fromUnixTimestamp64Nano": from_1970("nanosecond", 10),
    "dateDiff": difference,
    "date_diff": difference,
    "_full": full,
    "_shifted": shifted,
    "_seconds_between": seconds_between,
}

# Functions whose answer is a time, so that constants beside it are read as times.
_ANSWER_TIMES = ("toDate", "parse", "toStart", "toMonday", "from", "_full", "_shifted")
ANSWER_TIMES = frozenset(name for name in FUNCTIONS if name.startswith(_ANSWER_TIMES))
