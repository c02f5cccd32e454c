"""When to try again, and when to stop trying."""

import random
from datetime import datetime, timedelta

# A trace that Laminar does not know may not be ingested yet: soon at first, then for days, then a person.
MISS_DELAYS = [2, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400]
# Laminar applies a patch about a second after it said yes; then rarer looks for two minutes.
READ_DELAYS = [1, 1, 2, 3, 5, 8, 15, 30, 60]
FIRST_READ_DELAY = timedelta(seconds=READ_DELAYS[0])
MAX_SENDS = 3
# After a confirmation: when it is looked whether Laminar still has the values. Soon, where spans that arrive late carry
# the same keys; then for a day.
DRIFT_CHECK_DELAYS = [10, 60, 300, 1_800, 10_800, 86_400]
MAX_FAILURE_DELAY = 3_600
# So long, and so often, a patch has to fail in passing before a person has to look. A far side can ask for a day
# between two tries: even then there are so many.
GIVE_UP_AFTER = timedelta(days=8)
GIVE_UP_MIN_TRIES = 8
# Failures in a row that open a project's breaker, and how many seconds it then stays open before one probe: longer with
# each probe that fails, yet short enough that what waited is on its way again half a minute after an outage.
BREAKER_THRESHOLD = 5
BREAKER_DELAYS = [5, 10, 20, 30]
# Where Laminar answered for others within so many seconds, a patch that had failed before is taken to fail by itself,
# and only each so many-th such failure counts for the breaker: few bad patches never hold a project.
RECENT_ANSWER_SECONDS, COUNT_EVERY_NTH_FAILURE = 60.0, 10
# Where the breaker is open a failed probe may go again after this: a project with few patches has no others to send.
PROBE_RETRY_DELAY = timedelta(minutes=5)
# What a server asks for with one answer is believed of all pushes for this long at most, in seconds.
MAX_RATE_LIMIT_DELAY = 300.0
# A refused key is not tried again by itself for long: a new key closes the breaker at once.
REFUSED_KEY_DELAY = timedelta(minutes=15)


def failure_delay(failures: int, retry_after: float | None) -> timedelta:
    """How long to wait after the n-th passing failure: doubling to an hour, with jitter; the far side's wish first."""
    if retry_after is not None:
        return timedelta(seconds=retry_after)
    seconds = min(MAX_FAILURE_DELAY, 2 ** min(failures, 12))
    return timedelta(seconds=seconds * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing


def breaker_delay(failures: int) -> timedelta | None:
    """How long to push nothing for a project after its n-th failure in a row; None while it may go on."""
    if failures < BREAKER_THRESHOLD:
        return None
    return timedelta(seconds=BREAKER_DELAYS[min(failures - BREAKER_THRESHOLD, len(BREAKER_DELAYS) - 1)])


def rate_limit_delay(retry_after: float | None) -> timedelta | None:
    """How long a 429 that asked for it holds all pushes of its project; then one goes to see."""
    return None if retry_after is None else timedelta(seconds=min(retry_after, MAX_RATE_LIMIT_DELAY))


def miss_delay(misses: int) -> timedelta | None:
    """How long to wait after the n-th "Trace not found" (1 is the first); None when it is time to park."""
    if misses > len(MISS_DELAYS):
        return None
    return timedelta(seconds=MISS_DELAYS[misses - 1])


def read_delay(reads: int) -> timedelta | None:
    """How long after the n-th look that did not find our values to look again; None to send again."""
    if reads >= len(READ_DELAYS):
        return None
    return timedelta(seconds=READ_DELAYS[reads])


def next_drift_check(confirmed_at: datetime, now: datetime) -> datetime | None:
    """When to look again whether confirmed values still stand; looks that were missed are not made up for."""
    return next((at for wait in DRIFT_CHECK_DELAYS if (at := confirmed_at + timedelta(seconds=wait)) > now), None)
