"""How long to wait before a failed request is sent again."""

import random
from datetime import timedelta

# In seconds.
MAX_FAILURE_DELAY = 3_600


def failure_delay(failures: int, retry_after: float | None) -> timedelta:
    """The delay after the n-th temporary failure: `retry_after` if given, else doubling up to an hour, with jitter."""
    if retry_after is not None:
        return timedelta(seconds=retry_after)
    seconds = min(MAX_FAILURE_DELAY, 2 ** min(failures, 12))
    return timedelta(seconds=seconds * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, protects nothing
