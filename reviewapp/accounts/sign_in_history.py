"""The history of sign-ins: what a person sees of their own, and what is kept of tries with the names of nobody."""

from datetime import timedelta

from django.conf import settings
from django.db.models import F, QuerySet

from reviewapp.accounts.models import User
from reviewapp.accounts.sign_in_models import SignIn
from reviewapp.lib import clock
from reviewapp.web.client_address import get_range

# Failures from one address within this time are one row with a count.
FAILURE_INTERVAL = timedelta(minutes=10)


def record_outcome(user: User | None, outcome: SignIn.Outcome, address: str, device: str) -> None:
    """Add to the history, and delete what is older than SIGN_IN_DAYS.

    Failures are counted: of a person per address, of names that nobody has per network, so that a flood adds few rows.
    """
    now = clock.now()
    if user is None:
        address, device = get_range(address) if address else "", ""
    if outcome == SignIn.Outcome.FAILED:
        recent = SignIn.objects.filter(
            user=user, outcome=outcome, address=address, last_at__gt=now - FAILURE_INTERVAL
        ).order_by("-last_at")
        # No row lock: two tries at the same time may begin a row each, and none is left out.
        newest = recent.values_list("pk", flat=True)[:1]
        if SignIn.objects.filter(pk__in=list(newest)).update(count=F("count") + 1, last_at=now):
            return
    SignIn.objects.filter(last_at__lt=now - timedelta(days=settings.SIGN_IN_DAYS)).delete()
    SignIn.objects.create(
        user=user, outcome=outcome, address=address, device=device, started_at=now, last_at=now
    )  # fmt: skip


def get_history(user: User) -> QuerySet[SignIn]:
    """The person's sign-ins, the newest first."""
    return SignIn.objects.filter(user=user).order_by("-last_at", "-pk")
