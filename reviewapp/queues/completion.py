"""Tell webhooks that a queue has nothing left to review."""

from datetime import timedelta

from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.webhooks import outbox as webhooks
from reviewapp.webhooks.models import Event


def emit_if_completed(queue: Queue, *, subject: str = "", delay: timedelta = timedelta(0)) -> None:
    """Write a message if no item of the queue is pending.

    Call it at the end of the transaction that completed an item, after its audit event: the audit chain's lock makes
    the last two items of a queue end one after the other, so that the second one sees the first. Without a webhook
    that asks for it, this costs no query.
    """
    if not webhooks.is_subscribed(queue.project, Event.QUEUE_COMPLETED):
        return
    if QueueItem.objects.filter(queue=queue, state=ItemState.PENDING).exists():
        return
    data = {"queue": queue.slug, "queue_name": queue.name}
    webhooks.emit(queue.project, Event.QUEUE_COMPLETED, data, queue_id=queue.pk, subject=subject, delay=delay)
