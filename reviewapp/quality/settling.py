"""Settle an item whose reviewers answered differently: take the answers of one of them and push these."""

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.quality.models import Settlement
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.rubric import versions
from reviewapp.reviews import combining, pushing
from reviewapp.reviews.models import Review


class StaleSettlementError(Exception):
    """The item was settled or reviewed since the page was opened; nothing was changed."""


def settle(item: QueueItem, user: User, review_pk: int, *, version: int, number: int, ruling: str) -> Settlement:
    """Settle the item with the answers of one of its newest reviews, and push them.

    `version` is the item's, and `number` the number of its settlements, when the page was opened.
    Raises StaleSettlementError.
    """
    queue = item.queue
    with transaction.atomic():
        locked = QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk)
        locked.queue = queue
        review = Review.objects.filter(item=locked, is_latest=True, is_unsure=False, pk=review_pk).first()
        is_current = locked.version == version and Settlement.objects.filter(item=locked).count() == number
        if review is None or not is_current or locked.state != ItemState.COMPLETED:
            raise StaleSettlementError
        rubric = versions.queue_at_version(queue, review.rubric_version)
        (patch, _), *_ = pushing.put_patches(locked, user, combining.load_answers(review), rubric)
        settlement = Settlement.objects.create(
            item=locked, number=number + 1, review=review, item_version=version, rubric_version=rubric.rubric_version,
            ruling=ruling, settled_by=user, patch=patch,
        )  # fmt: skip
        QueueItem.objects.filter(pk=locked.pk).update(disagreement=0)
        record(queue.project, user, "settled item", f"item:{locked.pk}", number=settlement.number, ruling=ruling)
    return settlement


def add_to_guideline(queue: Queue, settlement: Settlement, user: User) -> bool:
    """Add the ruling to the queue's guideline, as a new rubric version; False if it is in there already.

    Raises StaleRubricError, and ValidationError if the guideline gets too long.
    """
    line = f"- {settlement.ruling}"
    if line in queue.guideline.splitlines():
        return False
    version = queue.rubric_version
    queue.guideline = f"{queue.guideline.rstrip()}\n\n{line}".lstrip()
    queue.clean_fields(exclude=["name_key"])
    return versions.save_rubric(queue, user, version=version)
