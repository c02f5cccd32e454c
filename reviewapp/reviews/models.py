"""A person's pass over one item, each submitted version kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.word_diff import DiffSegment, diff
from reviewapp.queues.models import QueueItem
from reviewapp.queues.rubric import criteria, versions
from reviewapp.queues.rubric.criteria import Criterion


@dataclass(frozen=True, slots=True)
class LabelledAnswer:
    """One answer to a queue's criterion, as a person reads it."""

    label: str
    value: Any

    @property
    def text(self) -> str:
        return criteria.format_answer(self.value)

    @property
    def diff(self) -> list[DiffSegment]:
        """What a correction changed; nothing for other answers."""
        is_changed = isinstance(self.value, dict) and "text" in self.value
        return diff(self.value["from"], self.value["text"]) if is_changed else []


class Review(models.Model):
    """One revision of an item's review. Rows are only ever added; the newest is the review's answer."""

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="reviews", db_index=False)
    revision = models.PositiveIntegerField()
    is_latest = models.BooleanField(default=True)
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
    score = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    notes = models.TextField(blank=True)
    needs_review = models.BooleanField(default=False)
    # No score was forced: the item goes to a second person.
    is_unsure = models.BooleanField(default=False, db_default=False)
    # The answers to the queue's own criteria by key, as JSON; and the version of the rubric that asked them.
    answers = models.TextField(default="{}", db_default="{}")
    rubric_version = models.PositiveIntegerField(default=1, db_default=1)
    # Made by the browser: the same submit sent again after a lost answer is the same review.
    client_id = models.UUIDField(null=True)
    # The reviewer chose to keep this review's notes here, whatever the queue's setting.
    keeps_notes_here = models.BooleanField(default=False, db_default=False)
    # What stood under each of its metadata keys before, as JSON of texts and nulls: an undo puts it back in the mirror.
    before = models.TextField(default="{}", db_default="{}")
    undone_at = models.DateTimeField(null=True)
    patch = models.ForeignKey(Patch, on_delete=models.PROTECT, related_name="reviews")
    submitted_at = models.DateTimeField(default=clock.now)
    # What its rubric asked, where `give_rubrics` has looked it up.
    rubric_criteria: tuple[Criterion, ...] = ()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "revision"], name="one_review_per_revision"),
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(is_latest=True), name="one_latest_review_per_item"
            ),
            models.UniqueConstraint(
                fields=["reviewer", "client_id"],
                condition=models.Q(client_id__isnull=False),
                name="one_review_per_submit",
            ),
        ]

    @property
    def score_text(self) -> str:
        """The score in its one spelling: `1`, `0.5`; empty where none was given."""
        return "" if self.score is None else format_decimal(self.score)

    @property
    def criterion_answers(self) -> dict[str, Any]:
        """The answers to the queue's criteria by key."""
        found: dict[str, Any] = canonical_json.loads(self.answers)
        return found

    @property
    def as_tuple(self) -> tuple[object, ...]:
        """All answers, for comparison."""
        return (self.score, self.notes, self.needs_review, self.is_unsure, self.criterion_answers)

    @property
    def labelled_answers(self) -> list[LabelledAnswer]:
        """The answers to criteria under the labels of the rubric they were given under."""
        own = self.criterion_answers if self.rubric_criteria else {}
        return [
            LabelledAnswer(criterion.label, own[criterion.key])
            for criterion in self.rubric_criteria
            if own.get(criterion.key) is not None
        ]


class Draft(models.Model):
    """What a person has typed for an item and not submitted: the form's fields as JSON."""

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="drafts", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    fields = models.TextField()
    # The item's version that the form was opened on.
    version = models.PositiveIntegerField()
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "user"], name="one_draft_per_item_and_person")]


def attach_rubrics(reviews: Iterable[Review]) -> None:
    """Let reviews tell their answers, each under the labels of its own rubric: one query at most.

    Their items must be at hand with their queues.
    """
    answered = [review for review in reviews if review.answers != "{}"]
    if not answered:
        return
    queues = {review.item.queue_id: review.item.queue for review in answered}
    asked = versions.criteria_by_version(list(queues.values()), {review.rubric_version for review in answered})
    for review in answered:
        review.rubric_criteria = asked.get((review.item.queue_id, review.rubric_version), ())


def format_decimal(number: Decimal) -> str:
    """A decimal as its JSON number: no trailing zeros, no exponent."""
    return str(canonical_json.normalize(number))
