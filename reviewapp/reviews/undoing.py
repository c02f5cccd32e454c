"""Undo a review before it is pushed: restore the item, the mirror and the outbox."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.queues import assignments, claiming, skipping
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from reviewapp.queues.rubric import answer_values
from reviewapp.reviews import announcing, combining, counting, drafts
from reviewapp.reviews.models import Review
from reviewapp.reviews.session_push import load_patches
from reviewapp.traces.metadata import merge


class CannotUndoError(Exception):
    """The review is being pushed, was pushed, or is not the item's newest; nothing was changed."""


@dataclass(frozen=True, slots=True)
class LastItem:
    """The item a person worked on last: how they skipped it, in words, or until when their review can be undone."""

    item: QueueItem
    undo_until: datetime | None
    skip_label: str = ""

    @property
    def can_undo(self) -> bool:
        return bool(self.skip_label) or self.undo_until is not None


def describe_last_item(item: QueueItem, review: Review | None, user: User) -> LastItem:
    """The item with what this person can still undo; `review` is its newest review."""
    skip_label = skipping.describe_skip(item, user)
    if skip_label:
        return LastItem(item, None, skip_label)
    if review is None or review.reviewer_id != user.pk:
        return LastItem(item, None)
    if review.patch is None:
        due_at = review.submitted_at + timedelta(seconds=item.queue.grace_seconds)
    elif review.patch.state != State.WAITING or review.patch.lease:
        return LastItem(item, None)
    else:
        due_at = review.patch.due_at
    return LastItem(item, due_at if due_at > clock.now() else None)


def undo(item: QueueItem, user: User) -> Review:
    """Undo this person's newest review of the item and return it; its answers become a draft.

    The previous revision is the latest again; without one the item is pending and claimed by this person.
    Raises CannotUndoError.
    """
    project = item.queue.project
    with transaction.atomic():
        revisions = Review.objects.filter(item=item, undone_at=None).select_related("patch").order_by("-revision")
        if item.has_several_reviewers:
            revisions = revisions.filter(reviewer=user)
        review, previous = [*revisions[:2], None, None][:2]
        if review is None or review.reviewer_id != user.pk or not review.is_latest:
            raise CannotUndoError
        review_count = _count_without(item, review, previous)
        required = item.reviews_required or item.queue.reviewers_per_item
        is_assigned = assignments.reopen(item, user, review.submitted_at)
        is_completed = review_count >= required and not is_assigned
        state = ItemState.COMPLETED if is_completed else ItemState.PENDING
        if not claiming.revert_completion(item, user, review.revision, state, review_count):
            raise CannotUndoError
        if review.patch is not None:
            _withdraw(review, item.queue)
        announcing.withdraw_submitted(review)
        Review.objects.filter(pk=review.pk).update(is_latest=False, undone_at=clock.now())
        if previous is not None:
            Review.objects.filter(pk=previous.pk).update(is_latest=True)
        if item.has_several_reviewers:
            combining.store_disagreement(item, item.queue)
        Skip.objects.filter(item=item, user=user, kind=Skip.Kind.UNSURE).delete()
        version = review.revision if item.has_several_reviewers else review.revision + 1
        drafts.save_fields(item, user, _form_fields(item, review), version=version)
        record(project, user, "undid review", f"item:{item.pk}", revision=review.revision)
        counting.count_reviews(item.queue, [] if previous is None else [previous], [review])
    return review


def _count_without(item: QueueItem, review: Review, previous: Review | None) -> int:
    """How many people have reviewed the item without `review`; `previous` is the revision before it."""
    others = Review.objects.filter(item=item, is_latest=True, is_unsure=False).exclude(pk=review.pk).count()
    # A single reviewer's item counts as reviewed while it has any revision, unsure or not.
    is_counted = previous is not None and not (item.has_several_reviewers and previous.is_unsure)
    return others + is_counted


def _withdraw(review: Review, queue: Queue) -> None:
    """Withdraw all patches of a review and restore the mirror, or raise CannotUndoError if one is too late."""
    reverts = []
    # Lock traces in a fixed order, so concurrent writers cannot deadlock.
    for patch, before in sorted(load_patches(review, queue), key=lambda pushed: pushed.patch.trace_id):
        trace = merge.lock_trace(queue.project, patch.trace_id)
        older_values = outbox.withdraw(queue.project, patch)
        if older_values is None:
            raise CannotUndoError
        reverts.append((trace, before, older_values))
    merge.revert_patches(queue.project, reverts)


def _form_fields(item: QueueItem, review: Review) -> dict[str, str | list[str]]:
    """The form's fields with the review's answers."""
    checkboxes = {"needs_review": review.needs_review, "unsure": review.is_unsure}
    answers = review.criterion_answers
    return {
        "score": review.score_text,
        "notes": review.notes,
        **{name: "true" for name, is_ticked in checkboxes.items() if is_ticked},
        **{
            criterion.field_name: answer_values.to_form_values(criterion, answers.get(criterion.key), "")
            for criterion in item.queue.parsed_criteria
        },
    }
