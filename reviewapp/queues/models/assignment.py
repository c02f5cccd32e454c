"""Who reviews which items of a queue: the people of a queue, and assignments."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem

MAX_WEIGHT = 100


class QueueReviewer(models.Model):
    """A person named to review a queue; of two people, one of twice the weight is assigned twice as many items."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="reviewers", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    weight = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(MAX_WEIGHT)]
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "user"], name="one_row_per_queue_reviewer")]


class Assignment(models.Model):
    """An item that a person shall review. It is open until they submit a review.

    `QueueItem.assigned_count` counts an item's open ones: change both together, by assigning.py.
    """

    class Kind(models.TextChoices):
        ASSIGNED = "assigned", "assigned"
        SENT_BACK = "sent-back", "sent back"

    MAX_COMMENT_LENGTH = 2_000

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="assignments", db_index=False)
    # The item's, so that an index answers what a person has open in a queue.
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.ASSIGNED)
    # Why it was sent back; shown above the form.
    comment = models.TextField(blank=True, max_length=MAX_COMMENT_LENGTH)
    # None if the queue assigned it as the item was added.
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=clock.now)
    # The time of the review that closed it.
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "user"], condition=Q(done_at=None), name="one_open_assignment_per_item_and_person"
            ),
        ]
        indexes = [
            models.Index(fields=["item", "user"], name="assignment_of_item"),
            models.Index(fields=["queue", "user", "done_at"], name="assignment_of_person"),
        ]
