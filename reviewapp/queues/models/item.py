"""Items of queues: traces before and after their reviews, and those skipped or removed."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models.queue import Queue
from reviewapp.queues.models.rule import Rule, SampleDay

CLAIM_DURATION = timedelta(minutes=5)


class Source(models.TextChoices):
    """How an item came into its queue."""

    UNKNOWN = "", "Unknown"
    PASTE = "paste", "Pasted"
    FILE = "file", "File"
    API = "api", "API"
    VIEW = "view", "Trace view"
    RULE = "rule", "Rule"


class Stratum(models.TextChoices):
    """Which of a rule's two shares a trace belongs to."""

    NONE = "", "None"
    MATCHES = "matches", "Matches the rule"
    REST = "rest", "Does not match the rule"


class ItemState(models.TextChoices):
    PENDING = "pending", "pending"
    COMPLETED = "completed", "completed"
    SKIPPED = "skipped", "skipped"


class ItemQuerySet(models.QuerySet["QueueItem"]):
    def in_order(self) -> Self:
        return self.order_by("-priority", "pk")

    def pending(self) -> Self:
        return self.filter(state=ItemState.PENDING)

    def claimed(self, now: datetime) -> Self:
        """Pending items that somebody has open."""
        return self.pending().filter(claimed_by__isnull=False, claimed_until__gt=now)

    def late(self, now: datetime) -> Self:
        """Pending items whose due date has passed."""
        return self.pending().filter(due_at__lt=now)

    def free_for(self, user: User | None, now: datetime) -> Self:
        """Items this person may claim: unclaimed, claimed by this person, or with an expired claim."""
        return self.filter(Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_until__lte=now))

    def change(self, **changes: Any) -> int:
        """Update these items and when they changed, which programs ask for. Claims are no change."""
        return self.update(changed_at=clock.now(), **changes)


class QueueItem(models.Model):
    """A trace in a queue, before or after its review.

    In a queue of sessions it stands for the trace's session, and `trace_id` moves on to newer traces until it is
    reviewed; see sessions.py.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="items", db_index=False)
    trace_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=ItemState.choices, default=ItemState.PENDING)
    priority = models.IntegerField(default=0)
    # Why the trace is queued, from a lead or a rule; and the caller's own reference, such as an order or a session.
    reason = models.CharField(max_length=300, blank=True)
    reference = models.CharField(max_length=200, blank=True)
    rule = models.ForeignKey(Rule, on_delete=models.SET_NULL, null=True, related_name="items", db_index=False)
    # How it came into the queue. For a rule's item also: which of the rule's two shares it belongs to, and how likely
    # a trace of that share was to be added. Without a probability, the item was chosen by hand.
    source = models.CharField(max_length=12, choices=Source.choices, blank=True, default="", db_default="")
    stratum = models.CharField(max_length=12, choices=Stratum.choices, blank=True, default="", db_default="")
    inclusion_probability = models.DecimalField(max_digits=12, decimal_places=10, null=True)
    # For an item of a rule with a daily maximum: the day's sample, and the draw in [0, 1) by which it was kept. Without
    # a draw, no later trace takes its place.
    sample_day = models.ForeignKey(
        SampleDay, on_delete=models.SET_NULL, null=True, related_name="items", db_index=False
    )
    draw = models.FloatField(null=True)
    added_by = models.CharField(max_length=120)
    added_at = models.DateTimeField(default=clock.now)
    claimed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    claimed_until = models.DateTimeField(null=True)
    # How many revisions its reviews have. A form stores the version it was opened at; a save succeeds only at that one.
    version = models.PositiveIntegerField(default=0)
    completed_at = models.DateTimeField(null=True)
    # When it was added, reviewed, skipped or put back last.
    changed_at = models.DateTimeField(default=clock.now, db_default=Now())
    # How many people have reviewed it, unsure ones not counted; and how many shall, if that is not the queue's setting:
    # a second look is drawn when the first review is submitted.
    review_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    reviews_required = models.PositiveSmallIntegerField(null=True)
    # How many people it is assigned to who have not reviewed it since; see assigning.py. Here, so that claiming needs
    # no query for it.
    assigned_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    comment_count = models.PositiveIntegerField(default=0, db_default=0)
    # How much its reviewers' answers differ: the share of pairs of answers that are not equal; 0 once settled.
    disagreement = models.DecimalField(max_digits=5, decimal_places=4, default=Decimal(0), db_default=Decimal(0))
    # Who skipped it last, and why: shown to the next reviewer and to leads. In the item's own row, so that no page
    # needs a query for it.
    skipped_by = models.CharField(max_length=80, blank=True, default="", db_default="")
    skip_reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    # When it should be reviewed by, from a lead or a program.
    due_at = models.DateTimeField(null=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "trace_id"], name="one_item_per_trace_and_queue"),
            models.CheckConstraint(condition=Q(state__in=ItemState.values), name="item_state_is_known"),
        ]
        indexes = [
            models.Index(
                fields=["queue", "-priority", "id"], name="item_pending", condition=Q(state=ItemState.PENDING)
            ),
            models.Index(fields=["queue", "-priority", "id"], name="item_in_order"),
            models.Index(fields=["queue", "state"], name="item_by_state"),
            models.Index(
                fields=["queue", "due_at"],
                name="item_by_due",
                condition=Q(state=ItemState.PENDING, due_at__isnull=False),
            ),
            models.Index(fields=["queue", "claimed_until"], name="item_claimed", condition=Q(claimed_by__isnull=False)),
            models.Index(fields=["queue", "changed_at", "id"], name="item_by_change"),
            models.Index(fields=["trace_id"], name="item_of_trace"),
            models.Index(
                fields=["queue", "-disagreement", "id"], name="item_disagreement", condition=Q(disagreement__gt=0)
            ),
            models.Index(fields=["rule"], name="item_by_rule", condition=Q(rule__isnull=False)),
            models.Index(fields=["sample_day", "-draw"], name="item_by_draw", condition=Q(sample_day__isnull=False)),
        ]

    @property
    def sampling_probability(self) -> float | None:
        """How likely its trace was to be in the queue; None if it was chosen by hand."""
        if self.inclusion_probability is None:
            return None
        day = self.sample_day
        is_thinned = day is not None and 0 < day.kept < day.eligible
        return float(self.inclusion_probability) * (day.kept / day.eligible if day is not None and is_thinned else 1)

    @property
    def has_several_reviewers(self) -> bool:
        """Whether more than one person may review it, each without changing the others' reviews."""
        return (self.reviews_required or 1) > 1 or self.queue.has_several_reviewers

    @property
    def is_claimed(self) -> bool:
        """Whether somebody has claimed the item and the claim has not expired."""
        return self.claimed_by_id is not None and self.claimed_until is not None and self.claimed_until > clock.now()

    def is_claimed_by_other(self, user: User) -> bool:
        """Whether a colleague has claimed the item and the claim has not expired."""
        return self.is_claimed and self.claimed_by_id != user.pk


class Skip(models.Model):
    """A person skipped an item: it comes to them last (later), or not again (for someone else, unsure)."""

    class Kind(models.TextChoices):
        LATER = "later", "later for me"
        OTHER = "other", "for someone else"
        UNSURE = "unsure", "unsure: for a second person"

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="skips", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reason = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "reviewapp_pass"
        constraints = [
            models.UniqueConstraint(fields=["item", "user"], name="one_pass_per_item_and_person"),
            models.CheckConstraint(condition=Q(kind__in=["later", "other", "unsure"]), name="pass_kind_is_known"),
        ]


class Removal(models.Model):
    """A trace that a person removed from a queue. Nothing adds it again unless explicitly asked to."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="removals", db_index=False)
    trace_id = models.UUIDField()
    by = models.CharField(max_length=120)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "trace_id"], name="one_removal_per_trace_and_queue")]
