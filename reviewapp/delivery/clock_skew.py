"""After the clock was put back: what was to wait for seconds does not wait for as long as the clock went back."""

from datetime import timedelta

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, QuerySet, Value

from reviewapp.accounts.models import Project
from reviewapp.delivery import schedule
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock

# Clocks of several machines differ by less.
AHEAD = timedelta(minutes=1)


def correct_future_due_times() -> int:
    """Let what was put in the future go in time, its grace kept, and end holds longer than any; how many rows."""
    return _patches() + _holds()


def _patches() -> int:
    now = clock.now()
    # By project, as the index of what waits is.
    projects = list(Project.objects.values_list("pk", flat=True))
    late = Patch.objects.filter(project__in=projects, state=State.WAITING, due_at__gt=now + AHEAD)
    late = late.filter(created_at__gt=now + AHEAD)
    if not late.exists():
        return 0
    is_tried = Q(failures__gt=0) | Q(misses__gt=0) | Q(sends__gt=0)
    grace = ExpressionWrapper(F("due_at") - F("created_at"), output_field=DurationField())
    due_at = ExpressionWrapper(Value(now, output_field=DateTimeField()) + grace, output_field=DateTimeField())
    return late.filter(is_tried).update(due_at=now, created_at=now) + late.update(due_at=due_at, created_at=now)


def _holds() -> int:
    asked, refused = timedelta(seconds=schedule.MAX_RATE_LIMIT_DELAY), schedule.REFUSED_KEY_DELAY
    return _cap(Breaker.objects.filter(refused_key=None), asked) + _cap(
        Breaker.objects.exclude(refused_key=None), refused
    )


def _cap(breakers: QuerySet[Breaker], longest: timedelta) -> int:
    """Hold none of these for longer than that from now on."""
    until = clock.now() + longest
    return breakers.filter(open_until__gt=until + AHEAD).update(open_until=until)
