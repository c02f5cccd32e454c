"""Submit a review: one local transaction; the push to Laminar follows later.

Saving never waits for Laminar, and no answer of Laminar changes what was saved.
"""

import json
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.lib import canonical_json, failpoints, sql
from reviewapp.queues import assignments, claiming, skipping
from reviewapp.queues.claiming import TakenRevision
from reviewapp.queues.models import ItemState, PushPolicy, Queue, QueueItem, Skip
from reviewapp.reviews import announcing, combining, counting, drafts, pushing, queries, sending_back, session_push
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers


@dataclass(frozen=True, slots=True)
class _Submission:
    """One submitted form. `rubric` is the queue at the rubric version under which the form was opened."""

    item: QueueItem
    user: User
    answers: Answers
    rubric: Queue
    version: int
    client_id: UUID | None
    active_seconds: int | None = None


class StaleReviewError(Exception):
    """The form was opened on another version of the item than the current one; nothing was saved.

    `latest` is the item's newest revision, None if it has none.
    """

    def __init__(self, latest: Review | None) -> None:
        super().__init__("The item was reviewed in the meantime.")
        self.latest = latest


def submit(
    item: QueueItem,
    user: User,
    answers: Answers,
    *,
    version: int,
    rubric: Queue | None = None,
    client_id: UUID | None = None,
    active_seconds: int | None = None,
) -> Review:
    """Save one revision of the item's review with all rows that depend on it, and delete the draft.

    `version` is what `claiming.get_version` returned when the form was opened, `rubric` the queue at the rubric
    version that the form showed (default: the current one), `client_id` identifies the form, and `active_seconds` is
    how long the item was on the screen.

    Sending the same answers again returns the saved review, with the same `client_id` even after a colleague's
    revision. Answers that change nothing create no revision either. Raises StaleReviewError if that
    version is another now, and canonical_json.InvalidJSONError for a text that Laminar would drop.
    """
    submission = _Submission(item, user, answers, rubric or item.queue, version, client_id, active_seconds)
    return _accept_unchanged(submission) or _save_revision(submission) or _resolve_conflict(submission)


def select_latest(item: QueueItem, user: User) -> QuerySet[Review]:
    """The newest review that this person's form would replace: theirs, or the item's if it has one reviewer."""
    latest = Review.objects.filter(item=item, is_latest=True)
    return latest.filter(reviewer=user) if item.has_several_reviewers else latest


def _accept_unchanged(submission: _Submission) -> Review | None:
    """Return this person's newest review if the answers change nothing; the draft is deleted."""
    item, user, answers = submission.item, submission.user, submission.answers
    state = ItemState.PENDING if answers.is_unsure else ItemState.COMPLETED
    if submission.version == 0 or claiming.get_version(item, user) != submission.version:
        return None
    if item.state != state and not item.has_several_reviewers:
        return None
    if assignments.get_own(item, user) is not None:
        # Who leaves an item as it is has reviewed it too.
        return None
    latest = select_latest(item, user).filter(reviewer=user).select_related("patch").first()
    if latest is None or not _is_unchanged(latest, submission):
        return None
    drafts.delete_draft(item, user)
    if answers.is_unsure:
        claiming.release(item, user)
    return latest


def _is_unchanged(latest: Review, submission: _Submission) -> bool:
    """Whether the submission repeats the review's answers and pushes nothing new."""
    rubric, answers = submission.rubric, submission.answers
    if (latest.as_tuple, latest.rubric_version) != (answers.as_tuple, rubric.rubric_version):
        return False
    if latest.patch is None or submission.item.queue.combines_answers:
        unpushed = (latest.keeps_notes_here, latest.unpushed_keys)
        return unpushed == (answers.keeps_notes_here, answers.unpushed_keys_text)
    pushed_values = latest.patch.values
    values = canonical_json.loads(canonical_json.dumps(pushing.patch_for(rubric, submission.user, answers, rev=0)))
    del values[rubric.builtin_keys["review_rev"]]
    if any(key not in pushed_values or pushed_values[key] != value for key, value in values.items()):
        return False
    return set(pushing.tags_for(rubric, answers)) <= set(latest.patch.tag_names)


def _save_revision(submission: _Submission) -> Review | None:
    """Save everything in one transaction; None, with nothing written, if the form's version is no longer current."""
    try:
        with transaction.atomic():
            taken = _take_revision(submission)
            if taken is None:
                transaction.set_rollback(True)
                return None
            drafts.delete_draft(submission.item, submission.user)
            review = _insert_revision(submission, taken)
            failpoints.hit("submit.before_commit")
            return review
    except IntegrityError:
        # The client_id belongs to a review of another item, so it does not identify this submit.
        if submission.client_id is None:
            raise
        return _save_revision(replace(submission, client_id=None))


def _take_revision(submission: _Submission) -> TakenRevision | None:
    """Update the item, which locks it, and return the new revision; None if the form's version is stale."""
    item, user, version = submission.item, submission.user, submission.version
    if not item.has_several_reviewers:
        return claiming.complete(item, version, stays_pending=submission.answers.is_unsure)
    taken = claiming.add_revision(item, user)
    # Only now that the item is locked: the person may have submitted another form meanwhile.
    return taken if claiming.get_own_version(item, user) == version else None


def _insert_revision(submission: _Submission, taken: TakenRevision) -> Review:
    """Write the patches, the mirror's metadata, the review and the audit event. Call it in a transaction."""
    item, user, answers, rubric = submission.item, submission.user, submission.answers, submission.rubric
    queue, client_id, revision = item.queue, submission.client_id, taken.revision
    pushed = pushing.put_patches(item, user, answers, rubric) if pushing.is_pushed_at_once(item, answers) else []
    patch, before = pushed[0] if pushed else (None, {})
    is_shared = not item.has_several_reviewers
    replaced = sql.fetch_objects(Review, queries.REPLACE_LATEST, item.pk, user.pk, is_shared) if revision > 1 else []
    review = Review(
        item=item, queue=queue, revision=revision, reviewer=user, patch=patch, client_id=client_id,
        score=answers.score, notes=answers.notes, needs_review=answers.needs_review, is_unsure=answers.is_unsure,
        keeps_notes_here=answers.keeps_notes_here, rubric_version=rubric.rubric_version,
        answers=canonical_json.dumps(answers.criterion_answers) if answers.criterion_answers else "{}",
        unpushed_keys=answers.unpushed_keys_text, active_seconds=submission.active_seconds,
    )  # fmt: skip
    review.pk = sql.fetch_rows(
        queries.INSERT_REVIEW, item.pk, item.queue_id, revision, user.pk, review.score, review.notes,
        review.needs_review, review.is_unsure, review.keeps_notes_here, review.answers, review.unpushed_keys,
        review.rubric_version, None if patch is None else patch.pk, review.submitted_at, client_id, json.dumps(before),
        review.active_seconds,
    )[0][0]  # fmt: skip
    if len(pushed) > 1:
        session_push.store_patches(review, pushed[1:])
    if taken.assigned_count:
        sending_back.close_assignment(review)
    is_completed = not answers.is_unsure
    if item.has_several_reviewers:
        is_completed, disagreement = _count_review(item), combining.store_disagreement(item, rubric)
        is_settled = queue.push_policy != PushPolicy.SETTLED or not disagreement
        if is_completed and is_settled and not pushed:
            _push(review, rubric, answers)
    if taken.assigned_count and is_completed:
        assignments.withdraw(item, user)
    if answers.is_unsure:
        skipping.save_skip(item, user, Skip.Kind.UNSURE)
    record(
        queue.project, user, "submitted review", f"item:{item.pk}", revision=revision,
        score=review.score_text or None, needs_review=review.needs_review,
    )  # fmt: skip
    counting.count_reviews(queue, [review], replaced)
    announcing.emit_submitted(review)
    return review


def _count_review(item: QueueItem) -> bool:
    """Count the people who have reviewed the item; whether all who shall have."""
    return claiming.count_review(item, Review.objects.filter(item=item, is_latest=True, is_unsure=False).count())


def _push(review: Review, rubric: Queue, answers: Answers) -> None:
    """Push a review that was saved without a patch; in a queue that combines answers, with those of the others."""
    item, extra_values = review.item, _lapsed_values(review.item, rubric)
    if rubric.combines_answers:
        votes = combining.load_votes(item)
        answers, extra_values = combining.combine(rubric, votes), extra_values | combining.describe_votes(rubric, votes)
    (patch, before), *others = pushing.put_patches(item, review.reviewer, answers, rubric, extra_values=extra_values)
    review.patch, review.before = patch, json.dumps(before)
    review.save(update_fields=["patch", "before"])
    if others:
        session_push.store_patches(review, others)


def _lapsed_values(item: QueueItem, rubric: Queue) -> dict[str, None]:
    """Null for each key of agreement that an earlier push of the item set: Laminar's merge deletes no key."""
    pushed = Review.objects.filter(item=item, undone_at=None).exclude(patch=None).select_related("patch")
    pushed_keys = {key for review in pushed if review.patch is not None for key in review.patch.values}
    return dict.fromkeys(key for key in rubric.agreement_keys if key in pushed_keys and key not in rubric.pushed_keys)


def _resolve_conflict(submission: _Submission) -> Review:
    """Return the saved review if this submit is a repeat of it: the same person's same answers.

    Raises StaleReviewError otherwise.
    """
    user, answers = submission.user, submission.answers
    latest = select_latest(submission.item, user).select_related("reviewer").first()
    for review in (latest, _find_by_client_id(submission)):
        if review is not None and review.reviewer_id == user.pk and review.as_tuple == answers.as_tuple:
            return review
    raise StaleReviewError(latest)


def _find_by_client_id(submission: _Submission) -> Review | None:
    if submission.client_id is None:
        return None
    own = Review.objects.filter(item=submission.item, reviewer=submission.user)
    return own.filter(client_id=submission.client_id).first()
