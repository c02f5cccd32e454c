"""Queues of traces to review, with their items, rubrics and rules."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from reviewapp.accounts.models import SLUG, Project, User
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.names import KEY_LENGTH, validate_readable
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.rubric import scale
from reviewapp.queues.rubric.criteria import KEY, Criterion, Option, parse_criteria, validate_criteria
from reviewapp.queues.rubric.option_keys import KeyedOption, assign_keys
from reviewapp.traces.metadata.pairs import Pair

CLAIM_DURATION = timedelta(minutes=5)
MAX_REVIEWERS = 20
PREFIX = RegexValidator(r"^[A-Za-z0-9_.\-]{0,40}\Z", "Use letters, digits and . _ - only, 40 at most.")

SALT = RegexValidator(r"^[0-9a-f]{16}\Z", "A draw is named by 16 hex digits.")
SHARE = [
    MinValueValidator(0, "Give a share from 0 to 100 per cent."),
    MaxValueValidator(100, "Give a share from 0 to 100 per cent."),
]


def new_salt() -> str:
    """Return a random salt that makes a rule's sample its own."""
    return secrets.token_hex(8)


class Unit(models.TextChoices):
    """What an item of a queue stands for."""

    TRACES = "traces", "Traces"
    SESSIONS = "sessions", "Sessions: one answer for a conversation"


class PushTarget(models.TextChoices):
    """Which traces an answer to a session is pushed to."""

    LAST = "last", "The last trace"
    ALL = "all", "Every trace of the session"


class Source(models.TextChoices):
    """How an item came into its queue."""

    UNKNOWN = "", "Unknown"
    PASTE = "paste", "Pasted"
    FILE = "file", "File"
    API = "api", "API"
    VIEW = "view", "Trace view"
    RULE = "rule", "Rule"


class PushPolicy(models.TextChoices):
    """What is pushed to Laminar when several people have reviewed an item."""

    LATEST = "latest", "The latest review"
    SETTLED = "settled", "Unanimous and settled answers only"
    COMBINED = "combined", "All answers combined, once everyone has answered"


class WhoReviews(models.TextChoices):
    """Who gets the items of a queue."""

    ANYONE = "anyone", "Anyone in the project"
    NAMED = "named", "Only the people below, whoever is free"
    ASSIGNED = "assigned", "The people below: new items are assigned to them by weight"


class Stratum(models.TextChoices):
    """Which of a rule's two shares a trace belongs to."""

    NONE = "", "None"
    MATCHES = "matches", "Matches the rule"
    REST = "rest", "Does not match the rule"


class QueueQuerySet(models.QuerySet["Queue"]):
    def active(self) -> Self:
        """Queues that are not archived."""
        return self.filter(archived_at=None)


class Queue(models.Model):
    """A set of traces to review, how to score them, and the metadata keys the answers are pushed under."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="queues")
    slug = models.CharField(max_length=62, validators=[SLUG])
    name = models.CharField(max_length=120, validators=[validate_readable])
    # As `User.username_key`.
    name_key = models.CharField(max_length=KEY_LENGTH, null=True)
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
    # How to judge, as Markdown; and the criteria asked besides score and notes, as JSON (see criteria.py).
    guideline = models.TextField(blank=True, max_length=20_000)
    criteria = models.TextField(default="[]")
    # The version of the newest Rubric of this queue, which new reviews refer to.
    rubric_version = models.PositiveIntegerField(default=1)
    # How many seconds a submitted review waits before it is pushed; until then it can be undone.
    grace_seconds = models.PositiveSmallIntegerField(default=5, blank=True, validators=[MaxValueValidator(300)])
    # Set while the queue is empty: its items and removals are compared by it.
    unit = models.CharField(max_length=10, choices=Unit.choices, default=Unit.TRACES, db_default=Unit.TRACES)
    # Used if the unit is the session.
    push_to = models.CharField(
        max_length=10, choices=PushTarget.choices, default=PushTarget.LAST, db_default=PushTarget.LAST
    )
    # How many people review each item. Everything below matters only if several do.
    reviewers_per_item = models.PositiveSmallIntegerField(
        default=1, db_default=1, validators=[MinValueValidator(1), MaxValueValidator(MAX_REVIEWERS)]
    )
    # The share of items, chosen at random, that one more person reviews.
    second_look_percent = models.DecimalField(
        max_digits=5, decimal_places=2, default=Decimal(0), db_default=Decimal(0), validators=SHARE
    )
    # Whether the answers of an item's reviewers stay hidden from each other until all have answered; nothing of them
    # is pushed before.
    is_blind = models.BooleanField(default=True, db_default=True)
    push_policy = models.CharField(
        max_length=12, choices=PushPolicy.choices, default=PushPolicy.LATEST, db_default=PushPolicy.LATEST
    )
    # If not anyone, those of `QueueReviewer`.
    who_reviews = models.CharField(
        max_length=10, choices=WhoReviews.choices, default=WhoReviews.ANYONE, db_default=WhoReviews.ANYONE
    )
    # Whether combined answers are pushed with how many people gave them and how well they agree.
    pushes_agreement = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # Lists leave an archived queue out, rules do not fill it and nobody adds to it; its reviews stay.
    archived_at = models.DateTimeField(null=True, blank=True)
    # When its reviews were last counted from the beginning, see reviews/counting.py; null if never.
    reviews_counted_at = models.DateTimeField(null=True, default=clock.now, editable=False)

    objects = QueueQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="one_queue_per_slug_and_project"),
            models.UniqueConstraint(fields=["project", "name_key"], name="one_queue_per_name_and_project"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_by_session(self) -> bool:
        """Whether an item stands for all traces of a session."""
        return self.unit == Unit.SESSIONS

    @property
    def has_several_reviewers(self) -> bool:
        """Whether some of its items are reviewed by more than one person."""
        return self.reviewers_per_item > 1 or self.second_look_percent > 0

    @property
    def combines_answers(self) -> bool:
        """Whether the answers of an item's reviewers are combined into one."""
        return self.has_several_reviewers and self.push_policy != PushPolicy.LATEST

    @property
    def agreement_keys(self) -> tuple[str, str]:
        """The metadata keys of the number of reviewers and of their agreement, prefix included."""
        return f"{self.key_prefix}reviewers", f"{self.key_prefix}agreement"

    @property
    def pushes_to_all(self) -> bool:
        """Whether an answer is pushed to every trace of its session."""
        return self.is_by_session and self.push_to == PushTarget.ALL

    def clean(self) -> None:
        if None in (self.score_min, self.score_max, self.score_step):
            return
        if self.score_min >= self.score_max:
            raise ValidationError({"score_max": "The highest score must be above the lowest."})
        if self.score_step <= 0 or (self.score_max - self.score_min) % self.score_step:
            raise ValidationError(
                {"score_step": "The step must be above 0 and divide the range from lowest to highest score evenly."}
            )
        scale.validate_score_words(self.score_words, self.score_min, self.score_max, self.score_step)
        builtin_keys = self.builtin_keys
        if self.combines_answers and self.pushes_agreement:
            builtin_keys |= dict(zip(("reviewers", "agreement"), self.agreement_keys, strict=True))
        if len(set(builtin_keys.values())) < len(builtin_keys):
            raise ValidationError("Two answers have the same metadata key. Give each its own key.")
        if self.parsed_criteria:
            reserved = {
                key.removeprefix(self.key_prefix): f"the built-in answer “{name.replace('_', ' ')}”"
                for name, key in builtin_keys.items()
            }
            validate_criteria(self.parsed_criteria, reserved)

    @property
    def builtin_keys(self) -> dict[str, str]:
        """The metadata key of each built-in answer, prefix included."""
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
        if self.combines_answers and self.pushes_agreement:
            built_in += self.agreement_keys
        return built_in + [
            self.key_prefix + key for criterion in self.parsed_criteria for key in criterion.metadata_keys
        ]

    @property
    def ever_pushed_keys(self) -> set[str]:
        """The metadata keys that a review of this queue writes, or wrote before its notes were kept here."""
        return {*self.pushed_keys, self.builtin_keys["notes"]}

    @property
    def score_hint(self) -> str:
        """What a score must be, as a sentence."""
        low, high, step = map(format_decimal, (self.score_min, self.score_max, self.score_step))
        return f"Give a score from {low} to {high} in steps of {step}."

    @property
    def score_choices(self) -> list[Decimal]:
        """All scores of the scale if they are few enough for buttons, else an empty list."""
        count = int((self.score_max - self.score_min) / self.score_step) + 1
        if count > 11:
            return []
        return [(self.score_min + self.score_step * n).normalize() for n in range(count)]

    @property
    def score_words(self) -> tuple[Option, ...]:
        """The scores that have a meaning in words, each with it."""
        return scale.parse_score_words(self.criteria)

    @property
    def score_options(self) -> list[KeyedOption]:
        """The scores of `score_choices`, each with its meaning and key; of two, 0 and 1, only the words are shown."""
        meanings = {option.value: option.help for option in self.score_words}
        values = [format_decimal(choice) for choice in self.score_choices]
        if values == ["0", "1"]:
            labels = {"0": "Fail", "1": "Pass"} | {value: word for value, word in meanings.items() if word}
            return assign_keys([(value, labels[value], "") for value in values])
        return assign_keys([(value, value, meanings.get(value, "")) for value in values])

    @property
    def quick_scores(self) -> list[Decimal]:
        """Five scores spread over the scale, each on a step, for one-key answers; empty if all scores have buttons."""
        if self.score_choices:
            return []
        steps = (self.score_max - self.score_min) // self.score_step
        return [self.score_min + self.score_step * (steps * quarter // 4) for quarter in range(5)]

    @property
    def quick_score_options(self) -> list[KeyedOption]:
        """The scores of `quick_scores`, each with its key."""
        values = [format_decimal(score) for score in self.quick_scores]
        return assign_keys([(value, value, "") for value in values])


class Rubric(models.Model):
    """One version of a queue's scale, guideline and criteria, as one JSON text. Rows are never changed."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="rubrics", db_index=False)
    version = models.PositiveIntegerField()
    text = models.TextField()
    made_by = models.CharField(max_length=120)
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "version"], name="one_rubric_per_queue_and_version")]


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


class IdempotentAdd(models.Model):
    """A call of another program that added traces under an idempotency key: repeating it returns the same result."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    idempotency_key = models.CharField(max_length=200)
    # Hash of the content, queue included: reusing the key for different content is an error.
    digest = models.CharField(max_length=64)
    added = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "idempotency_key"], name="one_add_per_key")]


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
