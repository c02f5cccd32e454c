"""A project's rate limit: a token bucket that refills with time, shared by all workers."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from reviewapp.delivery.models import Breaker


def take(project_id: int, limit: int, count: int, now: datetime) -> int:
    """Take up to `count` pushes from the bucket at `limit` per second. Call it in a transaction.

    Returns how many pushes may start now.
    """
    with transaction.atomic():
        Breaker.objects.get_or_create(project_id=project_id)
        breaker = Breaker.objects.select_for_update().get(project_id=project_id)
        elapsed = (now - breaker.allowance_at).total_seconds() if breaker.allowance_at else 1.0
        # The bucket holds at most one second's worth, and a clock that was set back takes nothing away.
        available = min(float(limit), breaker.allowance + max(0.0, elapsed) * limit)
        granted = min(count, int(available))
        Breaker.objects.filter(pk=breaker.pk).update(allowance=available - granted, allowance_at=now)
    return granted


def give_back(project_id: int, count: int) -> None:
    """Return unused pushes to the bucket, in the same transaction."""
    Breaker.objects.filter(project_id=project_id).update(allowance=F("allowance") + count)
