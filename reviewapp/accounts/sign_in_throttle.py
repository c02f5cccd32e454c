"""Throttle password guessing, without revealing which usernames exist."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from reviewapp.accounts.models import FailedSignIn
from reviewapp.lib import clock
from reviewapp.lib.names import fold_name

MAX_FAILURES = 10
WINDOW = timedelta(minutes=10)


def is_throttled(username: str, address: str) -> bool:
    """Whether MAX_FAILURES sign-ins with this username failed from this address within WINDOW."""
    since = clock.now() - WINDOW
    return FailedSignIn.objects.filter(
        subject=_subject(username, address), since__gt=since, count__gte=MAX_FAILURES
    ).exists()


def record_failure(username: str, address: str) -> None:
    """Count a failed sign-in. Expired counts are deleted, so that guessing cannot fill the table."""
    subject, now = _subject(username, address), clock.now()
    with transaction.atomic():
        FailedSignIn.objects.filter(since__lte=now - WINDOW).delete()
        FailedSignIn.objects.get_or_create(subject=subject, defaults={"since": now})
        FailedSignIn.objects.filter(subject=subject).update(count=F("count") + 1)


def clear_failures(username: str, address: str) -> None:
    """Reset the count after a successful sign-in."""
    FailedSignIn.objects.filter(subject=_subject(username, address)).delete()


def _subject(username: str, address: str) -> str:
    # The spelling that signing in uses, so that another case or width is no new series of attempts.
    return f"{fold_name(username)[:100]} {address[:60]}"
