"""When a message is sent again, when a webhook rests, and when it is switched off."""

from datetime import timedelta

from reviewapp.lib import backoff

# Failures in a row after which one message at a time is sent, ever more rarely.
FAILURE_THRESHOLD = 5
# How long, and how often, a message must fail before it is parked.
GIVE_UP_AFTER = timedelta(days=3)
GIVE_UP_MIN_TRIES = 8
# How long a webhook must fail without one success before it is switched off.
SWITCH_OFF_AFTER = timedelta(days=5)
# The longest rest that an endpoint can ask for.
MAX_REQUESTED_REST = timedelta(hours=1)
# How long the secret before a rotation still signs.
OLD_SECRET_DURATION = timedelta(days=1)
# How long messages are kept.
RETENTION = timedelta(days=30)


def rest(failures: int, retry_after: float | None) -> timedelta | None:
    """How long nothing is sent to a webhook after its n-th failure in a row; None if the next message may go."""
    requested = None if retry_after is None else min(timedelta(seconds=retry_after), MAX_REQUESTED_REST)
    if failures < FAILURE_THRESHOLD:
        return requested
    return max(backoff.failure_delay(failures - FAILURE_THRESHOLD + 1, None), requested or timedelta(0))
