"""The figures of a project or a queue, and for each of them the rows that it counts.

Figures of items and deliveries are counted from their rows. Those of reviews are read from counters that are written
with each save (`reviews.counting`), because there may be a million.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Min, QuerySet, Sum

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import clock
from reviewapp.queues.models import ItemQuerySet, ItemState, Queue, QueueItem
from reviewapp.reviews.count_models import CountQuerySet, ReviewCount
from reviewapp.reviews.models import Review

# The delivery lag is measured over the newest deliveries of the last week, so many at most.
MAX_SAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What figures are about: a project or one of its queues; in their rows also one person, and scores from, to."""

    project: Project
    queue: Queue | None = None
    reviewer: str = ""
    low: Decimal | None = None
    high: Decimal | None = None

    def items(self) -> ItemQuerySet:
        """The items of the queue, or of the project's active queues."""
        if self.queue is not None:
            return QueueItem.objects.filter(queue=self.queue)
        return QueueItem.objects.filter(queue__in=Queue.objects.active().filter(project=self.project))

    def reviews(self) -> QuerySet[Review]:
        """The newest reviews of each person, also in archived queues."""
        reviews = Review.objects.filter(item__queue__project=self.project, is_latest=True)
        if self.queue is not None:
            reviews = reviews.filter(item__queue=self.queue)
        if self.reviewer:
            reviews = reviews.filter(reviewer__username=self.reviewer)
        if self.low is not None:
            reviews = reviews.filter(score__gte=self.low)
        return reviews if self.high is None else reviews.filter(score__lte=self.high)

    def counts(self) -> CountQuerySet:
        """The counters of these reviews."""
        counts = ReviewCount.objects.filter(queue__project=self.project)
        if self.queue is not None:
            counts = counts.filter(queue=self.queue)
        return counts.filter(reviewer__username=self.reviewer) if self.reviewer else counts

    def deliveries(self) -> QuerySet[Patch]:
        """The newest deliveries that were confirmed in the last seven days, MAX_SAMPLES at most."""
        confirmed = Patch.objects.filter(project=self.project, state=State.CONFIRMED)
        if self.queue is not None:
            # By the queue's own index of changes: its deliveries may be among a million others.
            done = self.items().filter(state=ItemState.COMPLETED).order_by("-changed_at", "-pk")[:MAX_SAMPLES]
            reviews = Review.objects.filter(item__in=list(done.values_list("pk", flat=True)), is_latest=True)
            return confirmed.filter(pk__in=reviews.values("patch"), confirmed_at__gte=start_of(week()))
        # The oldest of the newest, by the index alone: the cost does not grow with the table.
        oldest = confirmed.order_by("-pk").values_list("pk", flat=True)[MAX_SAMPLES - 1 : MAX_SAMPLES].first()
        return confirmed.filter(pk__gte=oldest or 0, confirmed_at__gte=start_of(week()))


def today() -> date:
    """Today in UTC."""
    return clock.now().date()


def week() -> date:
    """The first of the last seven days, today included."""
    return today() - timedelta(days=6)


def start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name, what it means, and the rows that it counts."""

    label: str
    meaning: str
    rows: Callable[[Scope], QuerySet[Any]]


FIGURES: Mapping[str, Figure] = {
    "to-do": Figure("To do", "Pending items", lambda scope: scope.items().pending()),
    "in-work": Figure(
        "In work", "Pending items that somebody has open now", lambda scope: scope.items().claimed(clock.now())
    ),
    "late": Figure("Late", "Pending items whose due date has passed", lambda scope: scope.items().late(clock.now())),
    "done": Figure("Done", "Completed items", lambda scope: scope.items().filter(state=ItemState.COMPLETED)),
    "skipped": Figure("Skipped", "Skipped items", lambda scope: scope.items().filter(state=ItemState.SKIPPED)),
    "reviews": Figure("Reviews", "Each person's newest review of each item", lambda scope: scope.reviews()),
    "today": Figure(
        "Reviews today", "Submitted today (UTC)",
        lambda scope: scope.reviews().filter(submitted_at__gte=start_of(today())),
    ),
    "week": Figure(
        "Reviews in 7 days", "Submitted today or in the six days before (UTC)",
        lambda scope: scope.reviews().filter(submitted_at__gte=start_of(week())),
    ),
    "flagged": Figure(
        "Needs review", "Reviews that ask for another look", lambda scope: scope.reviews().filter(needs_review=True)
    ),
    "unsure": Figure(
        "Unsure", "Reviews whose reviewer was unsure", lambda scope: scope.reviews().filter(is_unsure=True)
    ),
    "timed": Figure(
        "Timed reviews", "Reviews whose time on the screen was measured",
        lambda scope: scope.reviews().exclude(active_seconds=None),
    ),
    "parked": Figure(
        "Parked", "Reviews whose delivery has stopped and needs a person",
        lambda scope: scope.reviews().filter(patch__project=scope.project, patch__state=State.PARKED),
    ),
    "delivered": Figure(
        "Deliveries", f"Confirmed in the last 7 days; the newest {MAX_SAMPLES:,} at most",
        lambda scope: scope.deliveries(),
    ),
}  # fmt: skip


def count_reviews(scope: Scope) -> dict[str, int]:
    """The figures of reviews by name, from their counters; `seconds` is the sum of the timed ones."""
    names = {
        "reviews": "reviews",
        "flagged": "flagged",
        "unsure": "unsure",
        "timed": "timed",
        "seconds": "active_seconds",
    }
    sums = scope.counts().by_day().aggregate(**{name: Sum(column) for name, column in names.items()})
    return {name: number or 0 for name, number in sums.items()}


def find_oldest(scope: Scope) -> QueueItem | None:
    """The pending item that was added first."""
    pk = scope.items().pending().aggregate(oldest=Min("pk"))["oldest"]
    return None if pk is None else QueueItem.objects.filter(pk=pk).first()
