"""Take a review back before it is pushed: the item, the mirror and the outbox as they were before it."""

import json
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.queues import claiming, skipping
from reviewapp.queues.models import ItemState, QueueItem, Skip
from reviewapp.queues.rubric import criteria
from reviewapp.reviews import drafts
from reviewapp.reviews.models import Review
from reviewapp.traces.metadata import merge


class CannotUndoError(Exception):
    """The review is being pushed, was pushed, or is no longer the item's newest; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Left:
    """An item this person left: how they skipped it, in words, or else until when their answer can be undone."""

    item: QueueItem
    until: datetime | None
    skip_label: str = ""

    @property
    def can_be_undone(self) -> bool:
        return bool(self.skip_label) or self.until is not None


def left_of(item: QueueItem, review: Review | None, user: User) -> Left:
    """The item with what can still be done about its newest review."""
    skipped = skipping.describe_skip(item, user)
    if skipped:
        return Left(item, None, skipped)
    is_mine = review is not None and review.reviewer_id == user.pk
    if review is None or not is_mine or review.patch.state != State.WAITING or review.patch.lease:
        return Left(item, None)
    until = review.patch.due_at
    return Left(item, until if until > clock.now() else None)


def undo(item: QueueItem, user: User) -> Review:
    """Take back this person's newest review of the item; the review as it was. Its answers stay as a draft.

    The revision before it stands again; without one the item is pending and this person's. Raises TooLate.
    """
    project = item.queue.project
    with transaction.atomic():
        standing = Review.objects.filter(item=item, undone_at=None).select_related("patch").order_by("-revision")[:2]
        review, earlier = [*standing, None, None][:2]
        if review is None or review.reviewer_id != user.pk or not review.is_latest:
            raise CannotUndoError
        state = ItemState.PENDING if earlier is None else ItemState.COMPLETED
        if not claiming.revert_completion(item, user, review.revision, state):
            raise CannotUndoError
        held = merge.lock_trace(project, item.trace_id)
        carried = outbox.withdraw(project, review.patch)
        if carried is None:
            raise CannotUndoError
        merge.revert_patch(project, held, json.loads(review.before), carried)
        Review.objects.filter(pk=review.pk).update(is_latest=False, undone_at=clock.now())
        if earlier is not None:
            Review.objects.filter(pk=earlier.pk).update(is_latest=True)
        Skip.objects.filter(item=item, user=user, kind=Skip.Kind.UNSURE).delete()
        drafts.save_fields(item, user, _fields(item, review), version=review.revision + 1)
        record(project, user, "undid review", f"item:{item.pk}", revision=review.revision)
    return review


def _fields(item: QueueItem, review: Review) -> dict[str, str | list[str]]:
    """The form's fields as the review filled them."""
    ticked = {"needs_review": review.needs_review, "unsure": review.is_unsure}
    own = review.criterion_answers
    return {
        "score": review.score_text,
        "notes": review.notes,
        **{name: "true" for name, is_on in ticked.items() if is_on},
        **{one.field_name: criteria.to_form_values(one, own.get(one.key), "") for one in item.queue.parsed_criteria},
    }
