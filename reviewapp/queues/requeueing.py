"""Make completed and skipped items pending again, with their reviews; change the priority and due date of items."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip

CLOSED = (ItemState.COMPLETED, ItemState.SKIPPED)
# Items per transaction, and per call: a request must end in time.
BATCH_SIZE = 500
MAX_CHANGED = 20_000


def requeue(queue: Queue, actor: User | str, pks: Collection[int]) -> int:
    """Make those of the queue's items pending that are completed or skipped. Returns their number."""
    closed = QueueItem.objects.filter(queue=queue, pk__in=pks, state__in=CLOSED)
    with transaction.atomic():
        # In order of their keys, so that two calls cannot deadlock.
        locked = list(closed.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        Skip.objects.filter(item__in=locked).delete()
        # Whoever has reviewed one may get it again.
        QueueItem.objects.filter(pk__in=locked).change(state=ItemState.PENDING, completed_at=None, review_count=0)
        if locked:
            record(queue.project, actor, "requeued items", f"queue:{queue.slug}", count=len(locked))
    return len(locked)


def requeue_all(queue: Queue, actor: User, items: QuerySet[QueueItem]) -> tuple[int, bool]:
    """Requeue at most MAX_CHANGED of the items, in batches. Returns their number, and whether there are more."""
    closed, count = items.filter(state__in=CLOSED).order_by("pk"), 0
    while pks := list(closed.values_list("pk", flat=True)[:BATCH_SIZE]):
        if count >= MAX_CHANGED:
            return count, True
        count += requeue(queue, actor, pks)
    return count, False


def change_items(
    queue: Queue, actor: User, items: QuerySet[QueueItem], field: str, value: int | datetime | None
) -> tuple[int, bool]:
    """Set `priority` or `due_at` of at most MAX_CHANGED items. Returns their number, and whether there are more."""
    other = (
        Q(**{f"{field}__isnull": False}) if value is None else ~Q(**{field: value}) | Q(**{f"{field}__isnull": True})
    )
    different, count = items.filter(other).order_by("pk"), 0
    while pks := list(different.values_list("pk", flat=True)[:BATCH_SIZE]):
        if count >= MAX_CHANGED:
            return count, True
        with transaction.atomic():
            changed = QueueItem.objects.filter(pk__in=pks).update(**{field: value})
            record(queue.project, actor, "changed items", f"queue:{queue.slug}", count=changed, **{field: str(value)})
        count += changed
    return count, False
