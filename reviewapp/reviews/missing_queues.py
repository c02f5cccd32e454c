"""The queue of reviews that an earlier release made, which does not write it: between `migrate` and its restart."""

from django.db import models
from django.db.models import OuterRef, Subquery

from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review

BATCH_SIZE = 10_000


def set_missing_queues(reviews: type[models.Model] = Review, items: type[models.Model] = QueueItem) -> None:
    """Set the queue of each review that has none to its item's."""
    missing = reviews._default_manager.filter(queue=None)
    queues = items._default_manager.filter(pk=OuterRef("item_id")).values("queue_id")[:1]
    while pks := list(missing.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE]):
        in_batch = missing.filter(pk__gte=pks[0], pk__lte=pks[-1])
        in_batch.update(queue_id=Subquery(queues))
