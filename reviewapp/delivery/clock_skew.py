"""Correct due times after the clock was set back, so that seconds of waiting do not become hours."""

from datetime import timedelta

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, QuerySet, Value

from reviewapp.accounts.models import Project
from reviewapp.delivery import schedule
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock

# Clocks of several machines differ by less than this.
TOLERANCE = timedelta(minutes=1)


def correct_future_due_times() -> int:
    """Move patches created in the future to now, keeping their delay, and cap breakers that are open for too long.

    Returns the number of rows changed.
    """
    return _correct_patches() + _cap_breakers()


def _correct_patches() -> int:
    now = clock.now()
    # By project, like the index of waiting rows.
    project_ids = list(Project.objects.values_list("pk", flat=True))
    future = Patch.objects.filter(project__in=project_ids, state=State.WAITING, due_at__gt=now + TOLERANCE)
    future = future.filter(created_at__gt=now + TOLERANCE)
    if not future.exists():
        return 0
    is_tried = Q(failures__gt=0) | Q(misses__gt=0) | Q(sends__gt=0)
    delay = ExpressionWrapper(F("due_at") - F("created_at"), output_field=DurationField())
    due_at = ExpressionWrapper(Value(now, output_field=DateTimeField()) + delay, output_field=DateTimeField())
    return future.filter(is_tried).update(due_at=now, created_at=now) + future.update(due_at=due_at, created_at=now)


def _cap_breakers() -> int:
    after_failures = Breaker.objects.filter(refused_key=None)
    after_refused_key = Breaker.objects.exclude(refused_key=None)
    return _cap_open_until(after_failures, timedelta(seconds=schedule.MAX_RATE_LIMIT_DELAY)) + _cap_open_until(
        after_refused_key, schedule.REFUSED_KEY_DELAY
    )


def _cap_open_until(breakers: QuerySet[Breaker], max_delay: timedelta) -> int:
    """Keep none of these breakers open for longer than `max_delay` from now."""
    until = clock.now() + max_delay
    return breakers.filter(open_until__gt=until + TOLERANCE).update(open_until=until)
