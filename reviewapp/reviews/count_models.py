"""Counters of reviews, kept in the transaction of each save: pages read these instead of a million reviews."""

from datetime import date
from typing import Self

from django.db import models

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue


class CountQuerySet(models.QuerySet["ReviewCount"]):
    def by_day(self, since: date | None = None) -> Self:
        """The counters of days, from `since` on."""
        days = self.filter(kind=ReviewCount.Kind.DAY)
        return days if since is None else days.filter(value__gte=since.isoformat())

    def by_score(self) -> Self:
        """The counters of scores; only `reviews` is counted."""
        return self.filter(kind=ReviewCount.Kind.SCORE)


class ReviewCount(models.Model):
    """How many reviews one person has in one queue: of one day in UTC, or with one score.

    Counted is what is the newest of its person, as `Review.is_latest` says. Both kinds are in one table, so that a
    save writes them in one statement. Until a queue's reviews were counted for the first time, its counters may be
    anything, also negative.
    """

    class Kind(models.TextChoices):
        DAY = "day", "day"
        SCORE = "score", "score"

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="+", db_index=False)
    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=5, choices=Kind.choices)
    # The day as in `2026-12-31`, or the score as in `0.5`.
    value = models.CharField(max_length=20)
    reviews = models.IntegerField(default=0)
    flagged = models.IntegerField(default=0)
    unsure = models.IntegerField(default=0)
    # Of how many reviews the time is known, and the sum of their seconds.
    timed = models.IntegerField(default=0)
    active_seconds = models.BigIntegerField(default=0)

    objects = CountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "reviewer", "kind", "value"], name="one_count_per_person_and_value"
            )
        ]
        indexes = [models.Index(fields=["queue", "kind", "value"], name="count_by_value")]
