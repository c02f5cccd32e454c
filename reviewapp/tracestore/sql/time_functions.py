"""ClickHouse's time functions on texts: `YYYY-MM-DD`, `… hh:mm:ss`, `… hh:mm:ss.nnnnnnnnn`."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from reviewapp.lib.shortening import shorten
from reviewapp.tracestore import timestamps

T = TypeVar("T")
TimeValue = str | int | float | bytes

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNITS = frozenset({*_SECONDS, *_MONTHS, "nanosecond", "microsecond", "millisecond"})
_NANOSECONDS = {"nanosecond": 1, "microsecond": 1000, "millisecond": 1_000_000} | {
    unit: seconds * 1_000_000_000 for unit, seconds in _SECONDS.items()
}
_UTC_NAMES = ("UTC", "Etc/UTC", "GMT", "Z")
_DATE_LENGTH = len("2026-01-01")
_DATETIME_LENGTH = len("2026-01-01 00:00:00")


def nanoseconds(value: TimeValue) -> int:
    """Convert a text or a number of seconds to nanoseconds since 1970. Raises timestamps.InvalidTimeError."""
    if isinstance(value, bytes):
        raise timestamps.InvalidTimeError("An array is not a time")
    return timestamps.parse(value) if isinstance(value, str) else int(value * 1_000_000_000)


def to_datetime64_full(value: TimeValue | None) -> str | None:
    """Format as a DateTime64(9), the format in which columns and constants are compared."""
    return None if value is None else timestamps.text(nanoseconds(value))


def to_datetime64(value: TimeValue, scale: int = 3, zone: str = "UTC") -> str:
    """Format as a DateTime64 with `scale` fractional digits."""
    _checked(zone, None)
    return timestamps.text(nanoseconds(value))[: _DATETIME_LENGTH + (scale + 1 if scale else 0)]


def to_datetime(value: TimeValue, zone: str = "UTC") -> str:
    """Format as a DateTime."""
    _checked(zone, None)
    return timestamps.text(nanoseconds(value))[:_DATETIME_LENGTH]


def to_date(value: TimeValue, zone: str = "UTC") -> str:
    """Format as a Date."""
    _checked(zone, None)
    return timestamps.text(nanoseconds(value))[:_DATE_LENGTH]


def start_of_interval(value: TimeValue, count: int, unit: str) -> str:
    """Truncate a time to a multiple of `count` units since 1970. Raises ValueError for a count below 1."""
    count = int(count)
    if count < 1:
        raise ValueError("The interval must be positive")
    text = timestamps.text(nanoseconds(value))
    if unit in _MONTHS:
        months = count * _MONTHS[unit]
        number = (int(text[:4]) - (0 if unit == "year" else 1970)) * 12 + int(text[5:7]) - 1
        year, month = divmod(number // months * months, 12)
        return f"{year + (0 if unit == 'year' else 1970):04d}-{month + 1:02d}-01"
    length, moment = count * _NANOSECONDS[unit], nanoseconds(value)
    # Weeks are counted from the first Monday of 1970, hours from midnight, everything else from 1970.
    origin = 4 * _NANOSECONDS["day"] if unit == "week" else 0
    if unit == "hour":
        origin = moment // _NANOSECONDS["day"] * _NANOSECONDS["day"]
    start = timestamps.text((moment - origin) // length * length + origin)
    if unit == "week":
        return start[:_DATE_LENGTH]
    digits = {"millisecond": 4, "microsecond": 7, "nanosecond": 10}.get(unit, 0)
    return start[: _DATETIME_LENGTH + digits]


def start_of_minutes(count: int) -> Callable[..., str]:
    """Returns a function that truncates a time to a multiple of `count` minutes."""
    return lambda value, zone="UTC": _checked(zone, start_of_interval(value, count, "minute"))


def start_of_second(value: TimeValue, zone: str = "UTC") -> str:
    """Truncate a time to the second; the fraction becomes zeros."""
    text = str(value)
    fraction = text[_DATETIME_LENGTH:]
    return _checked(zone, to_datetime(value)) + re.sub(r"\d", "0", fraction)


def part_of(convert: Callable[[date, str], int]) -> Callable[..., int]:
    """Returns a function that converts the date and the text of a time to a number."""

    def get_part(value: TimeValue, zone: TimeValue = "UTC") -> int:
        text = timestamps.text(nanoseconds(value))
        return _checked(zone, convert(date.fromisoformat(text[:_DATE_LENGTH]), text))

    return get_part


def format_time(value: TimeValue, pattern: str, zone: str = "UTC") -> str:
    """`formatDateTime`: replace `%Y`, `%m` and the like. Raises ValueError for one that is unknown."""
    text = timestamps.text(nanoseconds(value))
    fraction = str(value)[_DATETIME_LENGTH + 1 :] if isinstance(value, str) else ""
    moment = datetime.fromisoformat(text[:_DATETIME_LENGTH])
    return _checked(zone, re.sub(r"%(.?)", lambda found: _format_part(found[1], moment, fraction), pattern))


def _format_part(letter: str, moment: datetime, fraction: str) -> str:
    if letter and letter in "YymdHIpjFTRabSnt%":
        return moment.strftime(f"%{letter}")
    hour = moment.hour % 12 or 12
    iso = moment.isocalendar()
    parts: dict[str, str] = {
        "M": moment.strftime("%B"),
        "W": moment.strftime("%A"),
        "i": f"{moment.minute:02d}",
        "s": f"{moment.second:02d}",
        "f": fraction or "000000",
        "e": str(moment.day),
        "D": moment.strftime("%m/%d/%y"),
        "h": f"{hour:02d}",
        "r": f"{hour:02d}:{moment.strftime('%M %p')}",
        "k": f"{moment.hour:02d}",
        "l": f"{hour:02d}",
        "c": f"{moment.month:02d}",
        "Q": str((moment.month - 1) // 3 + 1),
        "u": str(iso.weekday),
        "w": str(iso.weekday % 7),
        "z": "+0000",
        "G": f"{iso.year:04d}",
        "g": f"{iso.year % 100:02d}",
        "V": f"{iso.week:02d}",
        "C": f"{moment.year // 100:02d}",
    }
    if letter not in parts:
        raise ValueError(f"formatDateTime does not know %{letter}")
    return parts[letter]


def _checked(zone: TimeValue, result: T) -> T:
    """Returns the result. Raises ValueError for a time zone other than UTC, in which all times are computed."""
    if isinstance(zone, str) and zone not in _UTC_NAMES:
        raise ValueError(f"The time zone {shorten(zone, 60)} is not supported by the trace store; it computes in UTC")
    return result


def start_of(unit: str) -> Callable[..., str]:
    """Returns a function that truncates a time to a unit: minute, hour, day, week (Sunday), monday, month,
    quarter, year."""

    def truncate(value: TimeValue, mode: TimeValue = 0, zone: TimeValue = "UTC") -> str:
        # The second argument is the time zone, except for weeks, which may have a mode before it.
        text = _checked(mode, _checked(zone, to_datetime(value)))
        if unit in ("minute", "hour"):
            return f"{text[:16]}:00" if unit == "minute" else f"{text[:13]}:00:00"
        if unit == "day":
            return f"{text[:_DATE_LENGTH]} 00:00:00"
        if unit in ("week", "monday"):
            day = date.fromisoformat(text[:_DATE_LENGTH])
            days_into_week = day.weekday() if unit == "monday" else day.isoweekday() % 7
            return (day - timedelta(days=days_into_week)).isoformat()
        if unit == "quarter":
            return f"{text[:4]}-{(int(text[5:7]) - 1) // 3 * 3 + 1:02d}-01"
        return f"{text[:7]}-01" if unit == "month" else f"{text[:4]}-01-01"

    return truncate


def add_interval(value: str, count: float, unit: str) -> str:
    """Add `count` units to a time; a day that the target month lacks becomes its last day."""
    # Convert first: Python would repeat a text `count` times instead of multiplying.
    count = float(count)
    if unit in _MONTHS:
        text = _add_months(value, int(count) * _MONTHS[unit])
    else:
        text = timestamps.text(nanoseconds(value) + int(count * _NANOSECONDS[unit]))
    if len(value) == _DATE_LENGTH and unit in ("day", "week", *_MONTHS):
        return text[:_DATE_LENGTH]
    return text[: max(len(value), _DATETIME_LENGTH)] if unit in (*_SECONDS, *_MONTHS) else text


def date_diff(unit: str, start: TimeValue, end: TimeValue, _zone: str = "UTC") -> int:
    """Returns the number of unit boundaries between two times."""
    unit = unit.lower()
    if unit in _MONTHS:
        return _month_number(end) // _MONTHS[unit] - _month_number(start) // _MONTHS[unit]
    unit_length = _NANOSECONDS[unit]
    # 1970 started on a Thursday; ClickHouse's weeks start on Monday.
    shift = 3 * _NANOSECONDS["day"] if unit == "week" else 0
    return (nanoseconds(end) + shift) // unit_length - (nanoseconds(start) + shift) // unit_length


def seconds_between(end: str, start: str) -> float:
    """Returns `end - start` in seconds."""
    return (nanoseconds(end) - nanoseconds(start)) / 1_000_000_000


def to_unix(unit: str) -> Callable[..., int]:
    """Returns a function that converts a time to units since 1970."""
    return lambda value, _zone="UTC": nanoseconds(value) // _NANOSECONDS[unit]


def from_unix(unit: str, digits: int) -> Callable[..., str]:
    """Returns a function that formats a number of units since 1970, with `digits` after the seconds."""
    return lambda count, _zone="UTC": timestamps.text(int(count) * _NANOSECONDS[unit])[: _DATETIME_LENGTH + digits]


def _add_months(value: str, months: int) -> str:
    text = timestamps.text(nanoseconds(value))
    year, month = divmod(int(text[:4]) * 12 + int(text[5:7]) - 1 + months, 12)
    last_day = monthrange(year, month + 1)[1]
    return f"{year:04d}-{month + 1:02d}-{min(int(text[8:10]), last_day):02d}{text[_DATE_LENGTH:]}"


def _month_number(value: TimeValue) -> int:
    text = timestamps.text(nanoseconds(value))
    return int(text[:4]) * 12 + int(text[5:7]) - 1


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "toDateTime": to_datetime,
    "toDateTime64": to_datetime64,
    "parseDateTimeBestEffort": to_datetime,
    "parseDateTime64BestEffort": to_datetime64,
    "toDate": to_date,
    "toStartOfMinute": start_of("minute"),
    "toStartOfHour": start_of("hour"),
    "toStartOfDay": start_of("day"),
    "toStartOfWeek": start_of("week"),
    "toMonday": start_of("monday"),
    "toStartOfMonth": start_of("month"),
    "toStartOfQuarter": start_of("quarter"),
    "toStartOfYear": start_of("year"),
    "toStartOfSecond": start_of_second,
    "toStartOfFiveMinutes": start_of_minutes(5),
    "toStartOfFiveMinute": start_of_minutes(5),
    "toStartOfTenMinutes": start_of_minutes(10),
    "toStartOfFifteenMinutes": start_of_minutes(15),
    "toStartOfInterval": start_of_interval,
    "toYear": part_of(lambda day, _: day.year),
    "toQuarter": part_of(lambda day, _: (day.month - 1) // 3 + 1),
    "toMonth": part_of(lambda day, _: day.month),
    "toDayOfMonth": part_of(lambda day, _: day.day),
    "toDayOfWeek": part_of(lambda day, _: day.isoweekday()),
    "toDayOfYear": part_of(lambda day, _: day.timetuple().tm_yday),
    "toWeek": part_of(lambda day, _: int(day.strftime("%U"))),
    "toISOWeek": part_of(lambda day, _: day.isocalendar().week),
    "toHour": part_of(lambda _, text: int(text[11:13])),
    "toMinute": part_of(lambda _, text: int(text[14:16])),
    "toSecond": part_of(lambda _, text: int(text[17:19])),
    "toYYYYMM": part_of(lambda day, _: day.year * 100 + day.month),
    "toYYYYMMDD": part_of(lambda day, _: (day.year * 100 + day.month) * 100 + day.day),
    "formatDateTime": format_time,
    "toUnixTimestamp": to_unix("second"),
    "toUnixTimestamp64Milli": to_unix("millisecond"),
    "toUnixTimestamp64Micro": to_unix("microsecond"),
    "toUnixTimestamp64Nano": to_unix("nanosecond"),
    "fromUnixTimestamp": from_unix("second", 0),
    "fromUnixTimestamp64Milli": from_unix("millisecond", 4),
    "fromUnixTimestamp64Micro": from_unix("microsecond", 7),
    "fromUnixTimestamp64Nano": from_unix("nanosecond", 10),
    "dateDiff": date_diff,
    "date_diff": date_diff,
    "_datetime64": to_datetime64_full,
    "_add_interval": add_interval,
    "_seconds_between": seconds_between,
}

# Functions that return a time: constants compared with their result are converted to times.
_TIME_RESULT_PREFIXES = ("toDate", "parse", "toStart", "toMonday", "from", "_datetime64", "_add_interval")
TIME_RESULTS = frozenset(name for name in FUNCTIONS if name.startswith(_TIME_RESULT_PREFIXES))
