"""The current time by the database's clock, always aware and in UTC.

Leases, due times and claims are compared across hosts whose clocks differ and jump. So a process asks the database for
its time every few seconds, and between two questions it adds what has passed by its monotonic clock.
"""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import Error, connection

# In seconds.
SYNC_INTERVAL = 5.0
# A correction of more than this many seconds means that the database's clock was set, forward or back.
JUMP_SECONDS = 1.0
# SQLite is part of the process: its clock is the machine's, in whole milliseconds, whatever Python believes.
_QUERIES = {"postgresql": "SELECT extract(epoch FROM clock_timestamp())", "sqlite": "SELECT julianday('now')"}
_UNIX_EPOCH_JULIAN_DAY, _DAY_SECONDS, _SQLITE_RESOLUTION = 2_440_587.5, 86_400.0, 0.001


@dataclass(slots=True)
class _DatabaseClock:
    """How far the database's time is ahead of this process's monotonic clock, in seconds; None before it is known."""

    offset: float | None = None
    # On the monotonic clock: when the database is asked next, and when its clock was last seen to jump.
    next_sync: float = -math.inf
    jumped_at: float = -math.inf
    # Tests travel in time by the host's clock.
    is_followed: bool = True


_clock = _DatabaseClock()


def monotonic() -> float:
    """Seconds on a clock that nobody sets; it also counts while the machine sleeps, where the system can do that."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def now() -> datetime:
    """Return the current time by the database's clock, aware, in UTC; by the host's while there is no database."""
    if not _clock.is_followed:
        return datetime.now(UTC)
    if monotonic() >= _clock.next_sync and _can_sync():
        sync()
    if _clock.offset is None:
        return datetime.now(UTC)
    return datetime.fromtimestamp(monotonic() + _clock.offset, UTC)


def sync() -> None:
    """Ask the database for its time. Without an answer, the monotonic clock continues from the last one."""
    _clock.next_sync = monotonic() + SYNC_INTERVAL
    if not _clock.is_followed:
        return
    try:
        asked_at, seconds, answered_at = _fetch_time()
    except (Error, ImproperlyConfigured, SynchronousOnlyOperation):
        return
    # The database read its clock between the question and the answer: correct no more than that proves wrong, so that
    # a slow answer does not move the time.
    resolution = _SQLITE_RESOLUTION if connection.vendor == "sqlite" else 0.0
    lowest, highest = seconds - answered_at, seconds + resolution - asked_at
    if _clock.offset is None:
        _clock.offset = (lowest + highest) / 2
        return
    corrected = min(max(_clock.offset, lowest), highest)
    if abs(corrected - _clock.offset) > JUMP_SECONDS:
        _clock.jumped_at = answered_at
    _clock.offset = corrected


def has_jumped_within(duration: timedelta) -> bool:
    """Whether this process saw the database's clock being set within the last `duration`."""
    return monotonic() < _clock.jumped_at + duration.total_seconds()


def host_offset() -> float:
    """How many seconds this host's clock is ahead of the database's; negative if it is behind."""
    return (datetime.now(UTC) - now()).total_seconds()


def follow_host() -> None:
    """Return the host's time from now on, for tests that travel in time."""
    _clock.is_followed = False


def follow_database() -> None:
    """Return the database's time from now on, which is the default; it is asked at the next call."""
    _clock.is_followed, _clock.offset = True, None
    _clock.next_sync = _clock.jumped_at = -math.inf


def iso(moment: datetime) -> str:
    """Format `moment` as `2026-11-22T10:12:00.000000Z`, which sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _can_sync() -> bool:
    """Whether a query fits in here: not in a transaction, and not where it would open a connection only for this."""
    return _clock.offset is None or (connection.connection is not None and not connection.in_atomic_block)


def _fetch_time() -> tuple[float, float, float]:
    """The monotonic time before, the database's time in seconds since 1970, the monotonic time after it was read.

    Raises django.db.Error.
    """
    # The cursor opens the connection if there is none, which takes longer than a query.
    with connection.cursor() as cursor:
        asked_at = monotonic()
        cursor.execute(_QUERIES[connection.vendor])
        (value,) = cursor.fetchone()
        answered_at = monotonic()
    seconds = (value - _UNIX_EPOCH_JULIAN_DAY) * _DAY_SECONDS if connection.vendor == "sqlite" else float(value)
    return asked_at, seconds, answered_at
