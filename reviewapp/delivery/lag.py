"""How long saved patches take until they are confirmed, by hour of the last day."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import clock

HOURS = 24
# If a project had more confirmations in a day, use only the newest: an index finds these in a table of any size.
MAX_SAMPLES = 5_000
# The height of the chart, and the width of an hour in it.
CHART_HEIGHT, HOUR_WIDTH = 60, 10


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour's confirmations: how many, and the median and 95th percentile of their lag in seconds."""

    start: datetime
    index: int
    count: int
    p50: float
    p95: float
    # Heights of the bars in the chart.
    p50_height: float
    p95_height: float

    @property
    def x(self) -> int:
        return self.index * HOUR_WIDTH + 1

    @property
    def p50_y(self) -> float:
        return CHART_HEIGHT - self.p50_height

    @property
    def p95_y(self) -> float:
        return CHART_HEIGHT - self.p95_height


@dataclass(frozen=True, slots=True)
class Lag:
    """The hours with at least one confirmation, oldest first, and the percentiles of the whole day in seconds.

    `max_p95` is the greatest p95 of an hour.
    """

    hours: list[Hour]
    max_p95: float
    count: int
    p50: float
    p95: float


def get_lag(project: Project) -> Lag | None:
    """The lag of the patches confirmed within the last day; None if there are none."""
    since = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    confirmed_patches = Patch.objects.filter(project=project, state=State.CONFIRMED)
    # The oldest of the newest, by the index alone: the cost does not grow with the table.
    oldest_pk = confirmed_patches.order_by("-pk").values_list("pk", flat=True)[MAX_SAMPLES - 1 : MAX_SAMPLES].first()
    recent = confirmed_patches.filter(pk__gte=oldest_pk or 0, confirmed_at__gte=since)
    by_hour: dict[int, list[float]] = {}
    for created_at, confirmed_at in recent.values_list("created_at", "confirmed_at"):
        if confirmed_at is not None:
            hour = int((confirmed_at - since).total_seconds() // 3600)
            by_hour.setdefault(min(hour, HOURS - 1), []).append((confirmed_at - created_at).total_seconds())
    if not by_hour:
        return None
    max_p95 = max(_percentile(seconds, 0.95) for seconds in by_hour.values())
    hours = [_build_hour(since, index, by_hour[index], max_p95) for index in sorted(by_hour)]
    all_seconds = [seconds for samples in by_hour.values() for seconds in samples]
    return Lag(hours, max_p95, len(all_seconds), _percentile(all_seconds, 0.5), _percentile(all_seconds, 0.95))


def _build_hour(since: datetime, index: int, seconds: Sequence[float], max_p95: float) -> Hour:
    p50, p95 = _percentile(seconds, 0.5), _percentile(seconds, 0.95)
    scale = (CHART_HEIGHT - 2) / max_p95 if max_p95 > 0 else 0
    start = since + timedelta(hours=index)
    return Hour(start, index, len(seconds), p50, p95, round(p50 * scale + 1, 1), round(p95 * scale + 1, 1))


def _percentile(seconds: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` is between 0 and 1."""
    return sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]
