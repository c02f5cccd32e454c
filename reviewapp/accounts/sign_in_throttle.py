"""Limit password guessing, without revealing which usernames exist.

Each try is counted before the password is checked, so that tries at the same time count as well. Strangers share the
limits of the account, of their address and of its network; a known device has a lower limit of its own instead.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F

from reviewapp.accounts import queries
from reviewapp.accounts.models import FailedSignIn
from reviewapp.lib import clock, sql
from reviewapp.lib.names import fold_name
from reviewapp.web.client_address import get_range

# Failed tries within WINDOW.
MAX_FAILURES = 10
MAX_FAILURES_OF_ACCOUNT = 20
MAX_FAILURES_OF_ADDRESS = 50
MAX_FAILURES_OF_RANGE = 200
MAX_FAILURES_OF_DEVICE = 5
WINDOW = timedelta(minutes=10)


class ThrottledError(Exception):
    """Too many tries failed lately."""


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted. `own` are the counts of the person, `shared` those of all who have the address.

    `is_first` says that nobody failed with this name in the window before it.
    """

    own: dict[str, int]
    shared: dict[str, int]
    is_first: bool


def count_try(username: str, address: str, device: str = "") -> Try:
    """Count a try with this name from this address, or from this known device. Raises ThrottledError.

    A refused try is not counted: going on from one address does not lock the account for others.
    """
    own, shared = _find_limits(fold_name(username), address, device)
    limits = own | shared
    now = clock.now()
    rows = FailedSignIn.objects.filter(subject__in=limits, since__gt=now - WINDOW)
    if any(count >= limits[subject] for subject, count in rows.values_list("subject", "count")):
        raise ThrottledError
    counts = _add(list(limits), now)
    if any(count > limits[subject] for subject, count in counts.items()):
        raise ThrottledError
    return Try(own, shared, is_first=any(counts[subject] == 1 for subject in own))


def forgive(counted: Try) -> None:
    """The try succeeded: forget the failures of the person, and take this one from what others share."""
    FailedSignIn.objects.filter(subject__in=counted.own).delete()
    FailedSignIn.objects.filter(subject__in=counted.shared, count__gt=0).update(count=F("count") - 1)


def _find_limits(name: str, address: str, device: str) -> tuple[dict[str, int], dict[str, int]]:
    """The limits by subject: the person's own, and those shared with others."""
    if device:
        return {f"device {device} {name}": MAX_FAILURES_OF_DEVICE}, {}
    if not address:
        return {f"name {name}": MAX_FAILURES_OF_ACCOUNT}, {}
    own = {f"name {name}": MAX_FAILURES_OF_ACCOUNT, f"pair {address} {name}": MAX_FAILURES}
    shared = {f"address {address}": MAX_FAILURES_OF_ADDRESS, f"range {get_range(address)}": MAX_FAILURES_OF_RANGE}
    return own, shared


def _add(subjects: list[str], now: object) -> dict[str, int]:
    """Add one to each count, or start it again after its window. Returns the counts by subject."""
    window_start = clock.now() - WINDOW
    with transaction.atomic():
        # Old counts are deleted, so that guessing cannot fill the table. In one order, so that two cannot deadlock.
        old = FailedSignIn.objects.filter(since__lte=window_start).order_by("pk").select_for_update(skip_locked=True)
        FailedSignIn.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:1000])).delete()
        return {
            subject: sql.fetch_rows(queries.COUNT_FAILURE, subject, now, window_start, window_start)[0][0]
            for subject in sorted(subjects)
        }
