"""Rules that fill queues, and what those with a daily maximum sampled."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from reviewapp.lib import canonical_json, clock
from reviewapp.lib.names import validate_readable
from reviewapp.queues.models.queue import SHARE, Queue
from reviewapp.traces.metadata.pairs import Pair

SALT = RegexValidator(r"^[0-9a-f]{16}\Z", "A draw is named by 16 hex digits.")


def new_salt() -> str:
    """Return a random salt that makes a rule's sample its own."""
    return secrets.token_hex(8)


class RuleQuerySet(models.QuerySet["Rule"]):
    def ready(self, now: datetime) -> Self:
        """Rules that are on, except those of archived queues and those still waiting for a retry after a failure."""
        return self.filter(Q(retry_at=None) | Q(retry_at__lte=now), is_on=True, queue__archived_at=None)


class Rule(models.Model):
    """Adds traces to a queue automatically: a share of those that match all pairs, and a share of all others."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=100, validators=[validate_readable])
    # [[key, value], ...] as JSON.
    pairs = models.TextField(default="[]")
    percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(100), validators=SHARE)
    rest_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0), validators=SHARE)
    # The maximum number of traces added per day in UTC: those with the smallest draws; see rules/capping.py.
    daily_cap = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)]
    )
    priority = models.IntegerField(default=0, validators=[MinValueValidator(-1_000_000), MaxValueValidator(1_000_000)])
    is_on = models.BooleanField(default=True)
    # Makes samples independent: two rules of 10 % select different traces.
    salt = models.CharField(max_length=16, default=new_salt, validators=[SALT])
    made_by = models.CharField(max_length=120)
    made_at = models.DateTimeField(default=clock.now)
    # When the rule was turned on. It adds no trace that started more than LOOKBACK before that, even if the trace
    # arrives or changes later.
    LOOKBACK = timedelta(days=1)
    active_since = models.DateTimeField(db_column="takes_since", default=clock.now, db_default=Now())
    # The scan position: all traces that changed before this time, and at this time up to this primary key, are scanned.
    scanned_until = models.DateTimeField(db_column="looked_at", default=clock.now)
    scanned_pk = models.BigIntegerField(db_column="looked_pk", default=0)
    # How many items it added in total, and on the last day it added any. Items removed since still count.
    added_count = models.PositiveIntegerField(db_column="taken", default=0)
    added_that_day = models.PositiveIntegerField(db_column="taken_that_day", default=0)
    last_added_at = models.DateTimeField(db_column="taken_at", null=True)
    # Why the last attempt to apply it failed, and when it is retried.
    fault = models.CharField(max_length=300, blank=True)
    retry_at = models.DateTimeField(null=True)

    objects = RuleQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def conditions(self) -> list[Pair]:
        return [Pair(*pair) for pair in canonical_json.loads(self.pairs)]

    @property
    def earliest_start(self) -> datetime:
        """The earliest start time of the traces it adds."""
        return self.active_since - self.LOOKBACK

    @property
    def added_today(self) -> int:
        """How many items it added since midnight UTC."""
        is_today = self.last_added_at is not None and self.last_added_at.date() == clock.now().date()
        return self.added_that_day if is_today else 0


class SampleDay(models.Model):
    """What a rule with a daily maximum sampled on one day in UTC: of `eligible` traces, `kept` are in the queue."""

    rule = models.ForeignKey(Rule, on_delete=models.SET_NULL, null=True, related_name="sample_days")
    day = models.DateField()
    eligible = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "day"], name="one_sample_per_rule_and_day")]


class PassedOver(models.Model):
    """A trace that a sample could have kept and did not: it is not counted again when its metadata changes."""

    sample_day = models.ForeignKey(SampleDay, on_delete=models.CASCADE, related_name="passed_over", db_index=False)
    trace_id = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sample_day", "trace_id"], name="one_row_per_passed_over_trace")]
