"""Tell webhooks what happened to a review, in the transaction in which it happens.

What a review's message carries is what its push carries: notes and answers that stay in the review desk stay here.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reviewapp.queues.completion import emit_if_completed
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from reviewapp.webhooks import outbox as webhooks
from reviewapp.webhooks.models import Event


def emit_submitted(review: Review) -> None:
    """A review was submitted. Sent when the time to undo it has passed.

    Call it after the review's audit event: see `queues.completion`.
    """
    queue, subject = review.item.queue, _name_review(review)
    if not queue.project.webhook_events:
        return
    patch = review.patch
    # What is not pushed yet must not be known to the item's other reviewers, who may read the messages.
    pushed = {} if patch is None else patch.values
    carried_keys = set() if patch is None else patch.carried_keys
    values = {key: value for key, value in pushed.items() if key not in carried_keys}
    delay = timedelta(seconds=queue.grace_seconds)
    data = {
        **_describe_item(review.item),
        "revision": review.revision,
        "reviewer": review.reviewer.username,
        "score": None if patch is None else review.score,
        "needs_review": None if patch is None else review.needs_review,
        "is_unsure": review.is_unsure,
        "metadata": values,
    }
    webhooks.emit(queue.project, Event.REVIEW_SUBMITTED, data, queue_id=queue.pk, subject=subject, delay=delay)
    if not review.is_unsure:
        emit_if_completed(queue, subject=subject, delay=delay)


def withdraw_submitted(review: Review) -> None:
    """A review was undone: nothing is sent about it."""
    webhooks.withdraw(review.item.queue.project, _name_review(review))


def emit_settled(item: QueueItem, settled_by: str, values: Mapping[str, Any], reason: str = "") -> None:
    """A disagreement about an item was settled: `values` is the metadata that the ruling pushes."""
    data = {**_describe_item(item), "settled_by": settled_by, "reason": reason, "metadata": dict(values)}
    webhooks.emit(item.queue.project, Event.REVIEW_SETTLED, data, queue_id=item.queue_id)


def emit_sent_back(item: QueueItem, sent_back_by: str, sent_to: str, comment: str) -> None:
    """A review was sent back with a comment, to its reviewer or to another person (`sent_to`, a username)."""
    data = {**_describe_item(item), "sent_back_by": sent_back_by, "sent_to": sent_to, "comment": comment}
    webhooks.emit(item.queue.project, Event.REVIEW_SENT_BACK, data, queue_id=item.queue_id)


def _describe_item(item: QueueItem) -> dict[str, Any]:
    project = item.queue.project
    return {
        "queue": item.queue.slug,
        "item": item.pk,
        "trace_id": str(item.trace_id),
        "trace_url": project.trace_url(item.trace_id) or None,
    }


def _name_review(review: Review) -> str:
    return f"review:{review.pk}"
