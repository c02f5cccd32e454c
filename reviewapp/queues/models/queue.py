"""Queues with their settings, and the versions of their rubrics."""

from decimal import Decimal
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from reviewapp.accounts.models import SLUG, Project
from reviewapp.lib import clock
from reviewapp.lib.names import KEY_LENGTH, validate_readable
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.rubric import scale
from reviewapp.queues.rubric.criteria import KEY, Criterion, Option, parse_criteria, validate_criteria
from reviewapp.queues.rubric.option_keys import KeyedOption, assign_keys

MAX_REVIEWERS = 20
PREFIX = RegexValidator(r"^[A-Za-z0-9_.\-]{0,40}\Z", "Use letters, digits and . _ - only, 40 at most.")

SHARE = [
    MinValueValidator(0, "Give a share from 0 to 100 per cent."),
    MaxValueValidator(100, "Give a share from 0 to 100 per cent."),
]


class Unit(models.TextChoices):
    """What an item of a queue stands for."""

    TRACES = "traces", "Traces"
    SESSIONS = "sessions", "Sessions: one answer for a conversation"


class PushTarget(models.TextChoices):
    """Which traces an answer to a session is pushed to."""

    LAST = "last", "The last trace"
    ALL = "all", "Every trace of the session"


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
