"""Correct due times after the database's clock was set back, so that seconds of waiting do not become hours.

What hosts believe does not matter here: every time is the database's (`lib.clock`).
"""

from datetime import datetime, timedelta

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Max, Q, QuerySet, Value
from django.db.models.functions import Greatest

from reviewapp.accounts.models import Project
from reviewapp.delivery import schedule
from reviewapp.delivery.breaker import NO_KEY_ID
from reviewapp.delivery.models import Breaker, Heartbeat, Patch, State
from reviewapp.lib import clock

# A process follows the database's clock within seconds.
TOLERANCE = timedelta(minutes=1)


def correct_future_due_times() -> int:
    """Bring forward what was scheduled by a clock that was ahead, and cap breakers that are open for too long.

    Returns the number of rows changed.
    """
    return _correct_patches() + _cap_breakers()


def find_set_back() -> timedelta | None:
    """By how much the clock was set back since the newest heartbeat, which is in the future then; None if not."""
    newest = Heartbeat.objects.aggregate(newest=Max("seen_at"))["newest"]
    ahead = timedelta(0) if newest is None else newest - clock.now()
    return ahead if ahead > TOLERANCE else None


def correct_heartbeats() -> int:
    """Move heartbeats in the future to now. Returns the number of rows changed."""
    now = clock.now()
    return Heartbeat.objects.filter(seen_at__gt=now + TOLERANCE).update(seen_at=now)


def bring_forward(set_back: timedelta) -> None:
    """Make patches due as much earlier as the clock was set back, at most at once.

    Those scheduled before the clock was ahead come too early by this, which costs an attempt at most.
    """
    now = clock.now()
    later = Patch.objects.filter(due_at__gt=now + TOLERANCE)
    # By project, like the index of waiting rows.
    waiting = later.filter(project__in=list(Project.objects.values_list("pk", flat=True)), state=State.WAITING)
    waiting.update(due_at=_earlier("due_at", set_back, now))
    later.filter(state=State.ACCEPTED, due_at__lte=now + set_back + TOLERANCE).update(due_at=now)
    watched = Patch.objects.filter(watch_due_at__gt=now + TOLERANCE)
    watched.update(watch_due_at=_earlier("watch_due_at", set_back, now))


def _earlier(field: str, duration: timedelta, earliest: datetime) -> Greatest:
    moment = ExpressionWrapper(F(field) - Value(duration, output_field=DurationField()), output_field=DateTimeField())
    return Greatest(moment, Value(earliest, output_field=DateTimeField()))


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
    without_key = Breaker.objects.filter(refused_key=NO_KEY_ID)
    after_refused_key = Breaker.objects.exclude(refused_key=None).exclude(refused_key=NO_KEY_ID)
    return (
        _cap_open_until(after_failures, timedelta(seconds=schedule.MAX_RATE_LIMIT_DELAY))
        + _cap_open_until(without_key, schedule.NO_KEY_DELAY)
        + _cap_open_until(after_refused_key, schedule.REFUSED_KEY_DELAY)
    )


def _cap_open_until(breakers: QuerySet[Breaker], max_delay: timedelta) -> int:
    """Keep none of these breakers open for longer than `max_delay` from now."""
    until = clock.now() + max_delay
    return breakers.filter(open_until__gt=until + TOLERANCE).update(open_until=until)
