"""How long a save takes until it is confirmed, by hour of the last day."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import clock

HOURS = 24
# A project with more confirmations in a day sees the newest of them: an index finds so many in any table.
NEWEST = 5_000
# The picture's height, and the width of an hour in it.
HIGH, WIDE = 60, 10


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour's confirmations: how many, and what half of them and 95 of 100 took at most, in seconds."""

    start: datetime
    place: int
    count: int
    p50: float
    p95: float
    # Heights in the picture.
    half: float
    most: float

    @property
    def left(self) -> int:
        return self.place * WIDE + 1

    @property
    def half_top(self) -> float:
        return HIGH - self.half

    @property
    def most_top(self) -> float:
        return HIGH - self.most


@dataclass(frozen=True, slots=True)
class Lag:
    """The hours in which something was confirmed, oldest first; `longest` is their greatest p95, in seconds."""

    hours: list[Hour]
    longest: float
    count: int
    p50: float
    p95: float


def lag_of(project: Project) -> Lag | None:
    """The lag of what was confirmed within the last day; None when nothing was."""
    since = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    confirmed_ones = Patch.objects.filter(project=project, state=State.CONFIRMED)
    # The oldest of the newest, by the index alone: no table is too large for what is asked of it then.
    oldest = confirmed_ones.order_by("-pk").values_list("pk", flat=True)[NEWEST - 1 : NEWEST].first() or 0
    found = confirmed_ones.filter(pk__gte=oldest, confirmed_at__gte=since)
    taken: dict[int, list[float]] = {}
    for created, confirmed in found.values_list("created_at", "confirmed_at"):
        if confirmed is not None:
            hour = int((confirmed - since).total_seconds() // 3600)
            taken.setdefault(min(hour, HOURS - 1), []).append((confirmed - created).total_seconds())
    if not taken:
        return None
    longest = max(_share(seconds, 0.95) for seconds in taken.values())
    hours = [_hour(since, place, taken[place], longest) for place in sorted(taken)]
    every = [seconds for some in taken.values() for seconds in some]
    return Lag(hours, longest, len(every), _share(every, 0.5), _share(every, 0.95))


def _hour(since: datetime, place: int, seconds: Sequence[float], longest: float) -> Hour:
    p50, p95 = _share(seconds, 0.5), _share(seconds, 0.95)
    scale = (HIGH - 2) / longest if longest > 0 else 0
    start = since + timedelta(hours=place)
    return Hour(start, place, len(seconds), p50, p95, round(p50 * scale + 1, 1), round(p95 * scale + 1, 1))


def _share(seconds: Sequence[float], share: float) -> float:
    """What this share of them took at most (nearest rank)."""
    return sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]
