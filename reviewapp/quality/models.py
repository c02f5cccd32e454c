"""Settlements: what a lead decided where reviewers answered differently."""

from django.db import models

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.lib import clock
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review

MAX_RULING_LENGTH = 500


class Settlement(models.Model):
    """The settled answers of an item. Rows are never changed; the newest counts. The reviews stay as they are."""

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="settlements", db_index=False)
    # Counts the item's settlements. Each form names the number it saw, so that one of two leads wins.
    number = models.PositiveIntegerField()
    # The review whose answers were taken, and the item's version then: which revisions were settled.
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="+")
    item_version = models.PositiveIntegerField()
    rubric_version = models.PositiveIntegerField()
    # One sentence for the next time; empty if there is none.
    ruling = models.CharField(max_length=MAX_RULING_LENGTH, blank=True)
    settled_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    settled_at = models.DateTimeField(default=clock.now)
    patch = models.ForeignKey(Patch, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "number"], name="one_settlement_per_number")]
