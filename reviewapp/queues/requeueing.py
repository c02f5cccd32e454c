"""Make completed and skipped items pending again. Their reviews and revisions stay."""

from collections.abc import Collection

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip

CLOSED = (ItemState.COMPLETED, ItemState.SKIPPED)


def requeue(queue: Queue, actor: User | str, pks: Collection[int]) -> int:
    """Make those of the queue's items pending that are completed or skipped. Returns their number."""
    closed = QueueItem.objects.filter(queue=queue, pk__in=pks, state__in=CLOSED)
    with transaction.atomic():
        # In order of their keys, so that two calls cannot deadlock.
        locked = list(closed.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        Skip.objects.filter(item__in=locked).delete()
        QueueItem.objects.filter(pk__in=locked).update(state=ItemState.PENDING, completed_at=None)
        if locked:
            record(queue.project, actor, "requeued items", f"queue:{queue.slug}", count=len(locked))
    return len(locked)
