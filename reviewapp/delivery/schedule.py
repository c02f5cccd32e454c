"""When to try again, and when to give up."""

from datetime import datetime, timedelta

# Seconds. A trace that Laminar does not know may not be ingested yet: retry soon, each minute for ten minutes, then for
# days, then park the patch. A full key also sees when the trace appears.
MISS_DELAYS = [2, 5, 15, 30, *[60] * 10, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400]
FIRST_MINUTE_MISS = MISS_DELAYS.index(60)
# A patch that is due within this time need not be made due sooner.
SOON = timedelta(seconds=10)
# Seconds. Laminar applies a patch about one second after its 200; then read less and less often for two minutes.
READ_DELAYS = [1, 1, 2, 3, 5, 8, 15, 30, 60]
FIRST_READ_DELAY = timedelta(seconds=READ_DELAYS[0])
MAX_SENDS = 3
# Seconds after confirmation at which to check that Laminar still has the values: soon, because late spans may set the
# same keys, then for a day.
DRIFT_CHECK_DELAYS = [10, 60, 300, 1_800, 10_800, 86_400]
# How long, and how often, a patch must fail temporarily before it is parked. Laminar can ask for a day between two
# attempts: even then there are this many.
GIVE_UP_AFTER = timedelta(days=8)
GIVE_UP_MIN_TRIES = 8
# Failures in a row that open a project's breaker, and the seconds until each probe: longer with every failed probe, but
# short enough that delivery resumes within half a minute after an outage.
BREAKER_THRESHOLD = 5
BREAKER_DELAYS = [5, 10, 20, 30]
# If Laminar answered other patches within this many seconds, a patch that failed before is considered the cause itself,
# and only every n-th such failure counts for the breaker: a few bad patches never block a project.
RECENT_ANSWER_SECONDS, COUNT_EVERY_NTH_FAILURE = 60.0, 10
# While the breaker is open, a failed probe may be sent again after this: a project with few patches has no others.
PROBE_RETRY_DELAY = timedelta(minutes=5)
# The longest wait, in seconds, that one answer of the server can impose on all pushes of a project.
MAX_RATE_LIMIT_DELAY = 300.0
# How long until a refused key is tried again: Laminar may accept it again. A new key closes the breaker at once, and
# without a key there is nothing to try.
REFUSED_KEY_DELAY = timedelta(minutes=1)
NO_KEY_DELAY = timedelta(minutes=15)


def breaker_delay(failures: int) -> timedelta | None:
    """How long a project's breaker stays open after its n-th failure in a row; None below the threshold."""
    if failures < BREAKER_THRESHOLD:
        return None
    return timedelta(seconds=BREAKER_DELAYS[min(failures - BREAKER_THRESHOLD, len(BREAKER_DELAYS) - 1)])


def rate_limit_delay(retry_after: float | None) -> timedelta | None:
    """How long a 429 with `retry_after` stops all pushes of its project, before a probe is sent."""
    return None if retry_after is None else timedelta(seconds=min(retry_after, MAX_RATE_LIMIT_DELAY))


def miss_delay(misses: int) -> timedelta | None:
    """The delay after the n-th "Trace not found", counted from 1; None when it is time to park."""
    if misses > len(MISS_DELAYS):
        return None
    return timedelta(seconds=MISS_DELAYS[misses - 1])


def read_delay(reads: int) -> timedelta | None:
    """The delay after the n-th read without our values; None when it is time to send again."""
    if reads >= len(READ_DELAYS):
        return None
    return timedelta(seconds=READ_DELAYS[reads])


def next_drift_check(confirmed_at: datetime, now: datetime) -> datetime | None:
    """When to check confirmed values next; missed checks are skipped. None after the last one."""
    check_times = (confirmed_at + timedelta(seconds=delay) for delay in DRIFT_CHECK_DELAYS)
    return next((check_time for check_time in check_times if check_time > now), None)
