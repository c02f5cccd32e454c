"""A project's rate limit: a bucket that fills with time and is emptied by leases, one for all workers."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from reviewapp.delivery.models import Breaker


def take(project_id: int, limit: int, wanted: int, now: datetime) -> int:
    """How many of `wanted` pushes may begin now at `limit` a second; so many are taken. Call it in a transaction."""
    with transaction.atomic():
        Breaker.objects.get_or_create(project_id=project_id)
        mine = Breaker.objects.select_for_update().get(project_id=project_id)
        seconds = (now - mine.allowance_at).total_seconds() if mine.allowance_at else 1.0
        # A second's worth at most is saved up, and a clock that went back takes nothing away.
        allowed = min(float(limit), mine.allowance + max(0.0, seconds) * limit)
        taken = min(wanted, int(allowed))
        Breaker.objects.filter(pk=mine.pk).update(allowance=allowed - taken, allowance_at=now)
    return taken


def give_back(project_id: int, count: int) -> None:
    """Give back what was taken and not needed, in the same transaction."""
    Breaker.objects.filter(project_id=project_id).update(allowance=F("allowance") + count)
