"""Reviews, with every submitted revision kept, and drafts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.numbers import format_decimal
from reviewapp.lib.word_diff import Budget, Diff, diff
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric import answer_values, versions
from reviewapp.queues.rubric.criteria import Criterion


@dataclass(frozen=True, slots=True)
class LabelledAnswer:
    """One answer to a queue's criterion under the criterion's label; the answers of one page share a `diff_budget`."""

    label: str
    value: Any
    diff_budget: Budget = field(default_factory=Budget)

    @property
    def text(self) -> str:
        return answer_values.format_answer(self.value)

    @property
    def diff(self) -> Diff:
        """What a correction changed; empty for other answers."""
        is_changed = isinstance(self.value, dict) and "text" in self.value
        return diff(self.value["from"], self.value["text"], self.diff_budget) if is_changed else Diff()


class Review(models.Model):
    """One revision of an item's review. Revisions are only ever added; the newest is the review's answer.

    If several people review an item, each has a newest revision of their own. Otherwise the item has one, whoever
    submitted it. `revision` counts the item's revisions, of all people together.
    """

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="reviews", db_index=False)
    # The item's, so that an index has the newest reviews of a queue. Null until `set_missing_queues` if code from
    # before the column made the row.
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    revision = models.PositiveIntegerField()
    is_latest = models.BooleanField(default=True)
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
    score = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    notes = models.TextField(blank=True)
    needs_review = models.BooleanField(default=False)
    # No score is forced: the item goes to a second person.
    is_unsure = models.BooleanField(default=False, db_default=False)
    # The answers to the queue's criteria by key, as JSON, and the version of the rubric that asked for them.
    answers = models.TextField(default="{}", db_default="{}")
    rubric_version = models.PositiveIntegerField(default=1, db_default=1)
    # Identifies the form: a submit that is sent again after a lost response is the same review.
    client_id = models.UUIDField(null=True)
    # The reviewer chose not to push this review's notes, whatever the queue's setting.
    keeps_notes_here = models.BooleanField(default=False, db_default=False)
    # The keys of the answers that the reviewer chose not to push, as JSON.
    unpushed_keys = models.TextField(default="[]", db_default="[]")
    # The previous values of its metadata keys, as JSON of texts and nulls: an undo restores them in the mirror.
    before = models.TextField(default="{}", db_default="{}")
    undone_at = models.DateTimeField(null=True)
    # The lead who accepted it.
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    accepted_at = models.DateTimeField(null=True)
    # How long the item was on the reviewer's visible screen, as their browser measured it; null if it did not.
    active_seconds = models.PositiveIntegerField(null=True)
    # What pushes it. None if it is not pushed, or not yet: see pushing.py.
    patch = models.ForeignKey(Patch, on_delete=models.PROTECT, null=True, related_name="reviews")
    submitted_at = models.DateTimeField(default=clock.now)
    # The criteria of its rubric version, and what the diffs of its page may cost; filled by `attach_rubrics`.
    rubric_criteria: tuple[Criterion, ...] = ()
    diff_budget: Budget | None = None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "revision"], name="one_review_per_revision"),
            models.UniqueConstraint(
                fields=["item", "reviewer"], condition=models.Q(is_latest=True), name="one_latest_review_per_person"
            ),
            models.UniqueConstraint(
                fields=["reviewer", "client_id"],
                condition=models.Q(client_id__isnull=False),
                name="one_review_per_submit",
            ),
        ]
        # The first two have what a filter compares, so that rows which do not match are not read.
        indexes = [
            models.Index(
                fields=["-submitted_at", "-id", "queue", "reviewer", "score", "needs_review", "is_unsure"],
                name="review_newest",
                condition=models.Q(is_latest=True),
            ),
            models.Index(
                fields=["queue", "-submitted_at", "-id", "reviewer", "score", "needs_review", "is_unsure"],
                name="review_of_queue",
                condition=models.Q(is_latest=True),
            ),
            models.Index(
                fields=["reviewer", "-submitted_at", "-id"], name="review_of_person", condition=models.Q(is_latest=True)
            ),
            models.Index(fields=["id"], name="review_without_queue", condition=models.Q(queue=None)),
        ]

    @property
    def score_text(self) -> str:
        """The score in canonical form: `1`, `0.5`; empty without a score."""
        return "" if self.score is None else format_decimal(self.score)

    @property
    def delivery_state(self) -> str:
        """The state of the patch that pushes it; `not pushed` without one."""
        return "not pushed" if self.patch is None else self.patch.state

    @property
    def criterion_answers(self) -> dict[str, Any]:
        """The answers to the queue's criteria by key."""
        answers: dict[str, Any] = canonical_json.loads(self.answers)
        return answers

    @property
    def as_tuple(self) -> tuple[object, ...]:
        """All answers, for comparison."""
        return (self.score, self.notes, self.needs_review, self.is_unsure, self.criterion_answers)

    @property
    def labelled_answers(self) -> list[LabelledAnswer]:
        """The answers to criteria under the labels of the review's own rubric version."""
        answers = self.criterion_answers if self.rubric_criteria else {}
        return [
            LabelledAnswer(criterion.label, answers[criterion.key], self.diff_budget or Budget())
            for criterion in self.rubric_criteria
            if answers.get(criterion.key) is not None
        ]


class SessionPatch(models.Model):
    """What a review of a session pushes to another trace than the item's. `before` is as in Review."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="session_patches", db_index=False)
    patch = models.ForeignKey(Patch, on_delete=models.PROTECT, related_name="+")
    before = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "patch"], name="one_row_per_session_patch")]


class Draft(models.Model):
    """A person's unsubmitted form for an item: its fields as JSON."""

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="drafts", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    fields = models.TextField()
    # The item's version when the form was opened.
    version = models.PositiveIntegerField()
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "user"], name="one_draft_per_item_and_person")]


def attach_rubrics(reviews: Iterable[Review]) -> None:
    """Fill each review's `rubric_criteria` from its rubric version, in one query at most.

    The reviews' items and queues must be loaded.
    """
    answered = [review for review in reviews if review.answers != "{}"]
    if not answered:
        return
    queues = {review.item.queue_id: review.item.queue for review in answered}
    by_version = versions.criteria_by_version(list(queues.values()), {review.rubric_version for review in answered})
    diff_budget = Budget()
    for review in answered:
        review.diff_budget = diff_budget
        review.rubric_criteria = by_version.get((review.item.queue_id, review.rubric_version), ())
