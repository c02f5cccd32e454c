"""Leases: a worker has a row in hand until a time by the database's clock, and another one takes it after that."""

from datetime import datetime, timedelta

from django.db.models import Q

from reviewapp.lib import clock

# Long enough for a push whose lease is renewed every few seconds, short enough to send the rows of a killed worker
# again within half a minute.
LEASE_DURATION = timedelta(seconds=20)


def is_expired(now: datetime) -> Q:
    """The rows whose `leased_until` has passed.

    Also a lease that ends later than this clock could have set: the clock was set back since, perhaps by an hour.
    """
    return Q(leased_until__lt=now) | Q(leased_until__gt=now + 2 * LEASE_DURATION)


def make_deadline() -> float:
    """When a lease that is taken now ends, by `clock.monotonic`."""
    return clock.monotonic() + LEASE_DURATION.total_seconds()
