"""Forget old attempts: a delivery keeps its outcome, and loses the list of how it was reached."""

from datetime import timedelta

from django.conf import settings

from reviewapp.delivery.models import Attempt
from reviewapp.lib import clock

BATCH_SIZE = 500


def forget_old_attempts() -> None:
    """Delete the oldest attempts, BATCH_SIZE at most, that are older than ATTEMPT_DAYS; none if that is 0."""
    if not settings.ATTEMPT_DAYS:
        return
    # By primary key, which is the order of time: no index on the time is needed.
    oldest = Attempt.objects.order_by("pk").values_list("pk", "at")
    limit = clock.now() - timedelta(days=settings.ATTEMPT_DAYS)
    if (first := oldest.first()) and first[1] < limit:
        old = [pk for pk, at in oldest[:BATCH_SIZE] if at < limit]
        Attempt.objects.filter(pk__in=old).delete()
