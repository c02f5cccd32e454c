"""Ordered work for people: a queue of traces, and each one's place in it."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from reviewapp.accounts.models import SLUG, Project, User
from reviewapp.lib import canonical_json, clock
from reviewapp.queues.rubric import scale
from reviewapp.queues.rubric.criteria import KEY, Criterion, Option, format_decimal, parse_criteria, validate_criteria
from reviewapp.traces.metadata.pairs import Pair

CLAIM_DURATION = timedelta(minutes=5)
PREFIX = RegexValidator(r"^[A-Za-z0-9_.\-]{0,40}\Z", "Use letters, digits and . _ - only, 40 at most.")

SALT = RegexValidator(r"^[0-9a-f]{16}\Z", "A draw is named by 16 hex digits.")
SHARE = [
    MinValueValidator(0, "Give a share from 0 to 100 per cent."),
    MaxValueValidator(100, "Give a share from 0 to 100 per cent."),
]


def new_salt() -> str:
    """A name for a draw that nobody else has."""
    return secrets.token_hex(8)


class Queue(models.Model):
    """What to review, how to score it, and under which metadata keys the answers are pushed."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="queues")
    slug = models.CharField(max_length=62, validators=[SLUG])
    name = models.CharField(max_length=120)
    question = models.CharField(max_length=400, blank=True)
    score_min = models.DecimalField(max_digits=12, decimal_places=4, default=Decimal(0))
    score_max = models.DecimalField(max_digits=12, decimal_places=4, default=Decimal(1))
    score_step = models.DecimalField(max_digits=12, decimal_places=4, default=Decimal("0.01"))
    key_prefix = models.CharField(max_length=40, blank=True, validators=[PREFIX])
    score_key = models.CharField(max_length=60, default="score", validators=[KEY])
    notes_key = models.CharField(max_length=60, default="notes", validators=[KEY])
    needs_review_key = models.CharField(max_length=60, default="needs_review", validators=[KEY])
    reviewer_key = models.CharField(max_length=60, default="reviewer", validators=[KEY])
    review_rev_key = models.CharField(max_length=60, default="review_rev", validators=[KEY])
    keeps_notes_here = models.BooleanField(default=False)
    # How to judge, as markdown; and what is asked beside score and notes, as JSON (see criteria.py).
    guideline = models.TextField(blank=True, max_length=20_000)
    criteria = models.TextField(default="[]")
    # The newest Rubric of this queue: what a review of today is given under.
    rubric_version = models.PositiveIntegerField(default=1)
    # How long a submitted review waits before it is pushed: so long it can be undone.
    grace_seconds = models.PositiveSmallIntegerField(default=5, blank=True, validators=[MaxValueValidator(300)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="one_queue_per_slug_and_project")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if None in (self.score_min, self.score_max, self.score_step):
            return
        if self.score_min >= self.score_max:
            raise ValidationError({"score_max": "The highest score must be above the lowest."})
        if self.score_step <= 0 or (self.score_max - self.score_min) % self.score_step:
            raise ValidationError(
                {"score_step": "The step must be above 0 and lead from the lowest to the highest score."}
            )
        scale.check(self.score_words, self.score_min, self.score_max, self.score_step)
        if len(set(self.builtin_keys.values())) < len(self.builtin_keys):
            raise ValidationError("Two answers have the same metadata key: give each one of its own.")
        if self.parsed_criteria:
            own = {key.removeprefix(self.key_prefix): name.replace("_", " ") for name, key in self.builtin_keys.items()}
            validate_criteria(self.parsed_criteria, {key: f"the built-in answer “{name}”" for key, name in own.items()})

    @property
    def builtin_keys(self) -> dict[str, str]:
        """Each answer's metadata key, prefix included."""
        names = ("score", "notes", "needs_review", "reviewer", "review_rev")
        return {name: self.key_prefix + getattr(self, f"{name}_key") for name in names}

    @property
    def parsed_criteria(self) -> tuple[Criterion, ...]:
        """The criteria, in the order they are asked."""
        return parse_criteria(self.criteria)

    @property
    def pushed_keys(self) -> list[str]:
        """The metadata keys that a review of this queue writes."""
        built_in = [key for name, key in self.builtin_keys.items() if name != "notes" or not self.keeps_notes_here]
        return built_in + [
            self.key_prefix + key for criterion in self.parsed_criteria for key in criterion.metadata_keys
        ]

    @property
    def ever_pushed_keys(self) -> set[str]:
        """The metadata keys that a review of this queue writes, or wrote before its notes stayed here."""
        return {*self.pushed_keys, self.builtin_keys["notes"]}

    @property
    def score_choices(self) -> list[Decimal]:
        """Each score there is, when they are few enough to be buttons; none otherwise."""
        count = int((self.score_max - self.score_min) / self.score_step) + 1
        if count > 11:
            return []
        return [(self.score_min + self.score_step * n).normalize() for n in range(count)]

    @property
    def score_words(self) -> tuple[Option, ...]:
        """What the score's values mean, those that have words."""
        return scale.words(self.criteria)

    @property
    def score_options(self) -> list[Option]:
        """Each score to choose, with its words."""
        told = {option.value: option.help for option in self.score_words}
        return [Option(format_decimal(choice), told.get(format_decimal(choice), "")) for choice in self.score_choices]

    @property
    def quick_scores(self) -> list[Decimal]:
        """Five scores spread over the scale, each on a step: the ones to have at one key."""
        if self.score_choices:
            return []
        steps = (self.score_max - self.score_min) // self.score_step
        return [self.score_min + self.score_step * (steps * quarter // 4) for quarter in range(5)]


class Rubric(models.Model):
    """What a queue asked at a time: scale, guideline and criteria as one JSON text. Rows are only ever added."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="rubrics", db_index=False)
    version = models.PositiveIntegerField()
    text = models.TextField()
    made_by = models.CharField(max_length=120)
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "version"], name="one_rubric_per_queue_and_version")]


class RuleQuerySet(models.QuerySet["Rule"]):
    def ready(self, now: datetime) -> Self:
        """Rules to apply: those that are on, but for those that failed a moment ago."""
        return self.filter(Q(retry_at=None) | Q(retry_at__lte=now), is_on=True)


class Rule(models.Model):
    """What a queue takes by itself: a share of the traces that hold all pairs, and a share of all others."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=100)
    # [[key, value], ...] as JSON.
    pairs = models.TextField(default="[]")
    percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(100), validators=SHARE)
    rest_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0), validators=SHARE)
    # At most so many of a day in UTC; more are passed over.
    daily_cap = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)]
    )
    priority = models.IntegerField(default=0, validators=[MinValueValidator(-1_000_000), MaxValueValidator(1_000_000)])
    is_on = models.BooleanField(default=True)
    # Makes its draw its own: two rules of 10 % take different tenths.
    salt = models.CharField(max_length=16, default=new_salt, validators=[SALT])
    made_by = models.CharField(max_length=120)
    made_at = models.DateTimeField(default=clock.now)
    # From when on it is on; it takes no trace that began more than REACH before, whenever that comes or changes.
    LOOKBACK = timedelta(days=1)
    active_since = models.DateTimeField(db_column="takes_since", default=clock.now, db_default=Now())
    # It has looked at all traces that changed before this, and at those of this moment up to this number.
    scanned_until = models.DateTimeField(db_column="looked_at", default=clock.now)
    scanned_pk = models.BigIntegerField(db_column="looked_pk", default=0)
    # How many it took in all and on the last day it took any: a removed item was taken all the same.
    added_count = models.PositiveIntegerField(db_column="taken", default=0)
    added_that_day = models.PositiveIntegerField(db_column="taken_that_day", default=0)
    last_added_at = models.DateTimeField(db_column="taken_at", null=True)
    # Why it could not be applied, and when it is tried again.
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
        """It takes traces that began then or later."""
        return self.active_since - self.LOOKBACK

    @property
    def added_today(self) -> int:
        """How many it took since midnight in UTC."""
        is_today = self.last_added_at is not None and self.last_added_at.date() == clock.now().date()
        return self.added_that_day if is_today else 0


class ItemState(models.TextChoices):
    PENDING = "pending", "pending"
    COMPLETED = "completed", "completed"
    SKIPPED = "skipped", "skipped"


class ItemQuerySet(models.QuerySet["QueueItem"]):
    def in_order(self) -> Self:
        return self.order_by("-priority", "pk")

    def pending(self) -> Self:
        return self.filter(state=ItemState.PENDING)

    def free_for(self, user: User, now: datetime) -> Self:
        """Items this person may claim: held by nobody, by themselves, or by a claim that has ended."""
        return self.filter(Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_until__lte=now))


class QueueItem(models.Model):
    """One trace waiting for, or after, its review."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="items", db_index=False)
    trace_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=ItemState.choices, default=ItemState.PENDING)
    priority = models.IntegerField(default=0)
    # Why it is here, in a lead's or a rule's words; and the caller's own handle: an order, a session.
    reason = models.CharField(max_length=300, blank=True)
    reference = models.CharField(max_length=200, blank=True)
    rule = models.ForeignKey(Rule, on_delete=models.SET_NULL, null=True, related_name="items", db_index=False)
    added_by = models.CharField(max_length=120)
    added_at = models.DateTimeField(default=clock.now)
    claimed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    claimed_until = models.DateTimeField(null=True)
    # How many revisions its review has: what a form was opened on, and what a save must still find.
    version = models.PositiveIntegerField(default=0)
    completed_at = models.DateTimeField(null=True)

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
            models.Index(fields=["rule"], name="item_by_rule", condition=Q(rule__isnull=False)),
        ]

    @property
    def is_claimed(self) -> bool:
        """Whether somebody holds the item at this moment."""
        return self.claimed_by_id is not None and self.claimed_until is not None and self.claimed_until > clock.now()

    def is_claimed_by_other(self, user: User) -> bool:
        """Whether a colleague holds the item at this moment."""
        return self.is_claimed and self.claimed_by_id != user.pk


class Skip(models.Model):
    """A person does not take an item now: it comes to them last (later), or not again (for someone else, unsure)."""

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
    """A trace that a person took out of a queue: no rule and no program brings it back, only a person."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="removals", db_index=False)
    trace_id = models.UUIDField()
    by = models.CharField(max_length=120)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "trace_id"], name="one_removal_per_trace_and_queue")]
