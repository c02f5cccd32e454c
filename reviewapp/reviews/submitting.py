"""Submit a review: one local transaction; the push to Laminar follows later.

Saving never waits for Laminar, and no answer of Laminar changes what was saved.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.delivery.models import Patch
from reviewapp.lib import canonical_json, failpoints, sql
from reviewapp.lib.shortening import shorten
from reviewapp.queues import claiming, skipping
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from reviewapp.queues.rubric import criteria
from reviewapp.reviews import drafts, queries, session_push
from reviewapp.reviews.models import Review
from reviewapp.reviews.session_push import PushedPatch
from reviewapp.traces.metadata import merge


@dataclass(frozen=True, slots=True)
class Answers:
    """A reviewer's answers; None or empty where nothing was answered."""

    score: Decimal | None
    notes: str
    needs_review: bool
    # The answers to the queue's criteria by key.
    criterion_answers: Mapping[str, Any] = field(default_factory=dict)
    # No score is forced: the item goes to a second person.
    is_unsure: bool = False
    # Do not push this review's notes, whatever the queue's setting, nor the answers with these keys.
    keeps_notes_here: bool = False
    unpushed_keys: frozenset[str] = frozenset()

    @property
    def as_tuple(self) -> tuple[object, ...]:
        """All answers, for comparison."""
        return (self.score, self.notes, self.needs_review, self.is_unsure, dict(self.criterion_answers))

    def pushed_answer(self, key: str) -> Any:
        """The criterion's answer as pushed to Laminar; None if it is not pushed."""
        return None if key in self.unpushed_keys else self.criterion_answers.get(key)


@dataclass(frozen=True, slots=True)
class _Submission:
    """One submitted form. `rubric` is the queue at the rubric version under which the form was opened."""

    item: QueueItem
    user: User
    answers: Answers
    rubric: Queue
    version: int
    client_id: UUID | None


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
) -> Review:
    """Save one revision of the item's review with all rows that depend on it, and delete the draft.

    `version` is the item's version when the form was opened, `rubric` the queue at the rubric version that the form
    showed (default: the current one), `client_id` identifies the form.

    Sending the same answers again returns the saved review, with the same `client_id` even after a colleague's
    revision. Answers that change nothing create no revision either. Raises StaleReviewError if the item is no
    longer at `version`, and canonical_json.InvalidJSONError for a text that Laminar would drop.
    """
    submission = _Submission(item, user, answers, rubric or item.queue, version, client_id)
    return _accept_unchanged(submission) or _save_revision(submission) or _resolve_conflict(submission)


def patch_for(rubric: Queue, user: User, answers: Answers, rev: int) -> dict[str, Any]:
    """The metadata that a review pushes: every key of the queue, null where nothing was answered.

    Laminar's merge deletes no key, so a key once sent keeps its value until it is sent again.
    """
    keys = rubric.builtin_keys
    patch: dict[str, Any] = {
        keys["score"]: answers.score,
        keys["notes"]: None if answers.keeps_notes_here else answers.notes or None,
        keys["needs_review"]: answers.needs_review,
        keys["reviewer"]: user.username,
        keys["review_rev"]: rev,
    }
    if rubric.keeps_notes_here:
        del patch[keys["notes"]]
    for criterion in rubric.parsed_criteria:
        members = criteria.answer_metadata(criterion, answers.pushed_answer(criterion.key))
        patch.update({rubric.key_prefix + key: value for key, value in members.items()})
    return patch


def tags_for(rubric: Queue, answers: Answers) -> list[str]:
    """The tags to add to the trace. They are only ever added: Laminar has no call that removes one."""
    tag_criteria = [criterion for criterion in rubric.parsed_criteria if criterion.kind == "tags"]
    names = [name for criterion in tag_criteria for name in answers.pushed_answer(criterion.key) or []]
    return list(dict.fromkeys(names))


def _accept_unchanged(submission: _Submission) -> Review | None:
    """Return this person's newest review if the answers change nothing; the draft is deleted."""
    item, user, answers = submission.item, submission.user, submission.answers
    state = ItemState.PENDING if answers.is_unsure else ItemState.COMPLETED
    if submission.version == 0 or (item.version, item.state) != (submission.version, state):
        return None
    latest = Review.objects.select_related("patch").filter(item=item, is_latest=True, reviewer=user).first()
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
    pushed_values = latest.patch.values
    values = canonical_json.loads(canonical_json.dumps(patch_for(rubric, submission.user, answers, rev=0)))
    del values[rubric.builtin_keys["review_rev"]]
    if any(key not in pushed_values or pushed_values[key] != value for key, value in values.items()):
        return False
    return set(tags_for(rubric, answers)) <= set(latest.patch.tag_names)


def _save_revision(submission: _Submission) -> Review | None:
    """Save everything in one transaction; None, with nothing written, if the item is no longer at the version."""
    item = submission.item
    try:
        with transaction.atomic():
            if not claiming.complete(item, submission.version, stays_pending=submission.answers.is_unsure):
                return None
            drafts.delete_draft(item, submission.user)
            review = _insert_revision(submission)
            failpoints.hit("submit.before_commit")
            return review
    except IntegrityError:
        # The client_id belongs to a review of another item, so it does not identify this submit.
        if submission.client_id is None:
            raise
        return _save_revision(replace(submission, client_id=None))


def _insert_revision(submission: _Submission) -> Review:
    """Write the patches, the mirror's metadata, the review and the audit event. Call it in a transaction."""
    item, user, answers, rubric = submission.item, submission.user, submission.answers, submission.rubric
    queue, revision, client_id = item.queue, submission.version + 1, submission.client_id
    (patch, before), *others = _put_patches(submission)
    if revision > 1:
        Review.objects.filter(item=item, is_latest=True).update(is_latest=False)
    review = Review(
        item=item, revision=revision, reviewer=user, patch=patch, client_id=client_id,
        score=answers.score, notes=answers.notes, needs_review=answers.needs_review, is_unsure=answers.is_unsure,
        keeps_notes_here=answers.keeps_notes_here, rubric_version=rubric.rubric_version,
        answers=canonical_json.dumps(answers.criterion_answers) if answers.criterion_answers else "{}",
    )  # fmt: skip
    review.pk = sql.fetch_rows(
        queries.INSERT_REVIEW, item.pk, revision, user.pk, review.score, review.notes, review.needs_review,
        review.is_unsure, review.keeps_notes_here, review.answers, review.rubric_version, patch.pk,
        review.submitted_at, client_id, json.dumps(before),
    )[0][0]  # fmt: skip
    if others:
        session_push.store_patches(review, others)
    if answers.is_unsure:
        skipping.save_skip(item, user, Skip.Kind.UNSURE)
    record(
        queue.project, user, "submitted review", f"item:{item.pk}", revision=revision,
        score=review.score_text or None, needs_review=review.needs_review,
    )  # fmt: skip
    return review


def _put_patches(submission: _Submission) -> list[PushedPatch]:
    """Put a patch for the item's trace and each other trace it is pushed to, and merge it. The item's is the first."""
    item, user, answers, rubric = submission.item, submission.user, submission.answers, submission.rubric
    project = item.queue.project
    trace_ids = [item.trace_id, *session_push.list_other_traces(item)]
    if len(trace_ids) > 1:
        merge.create_missing_traces(project, trace_ids)
    puts: list[tuple[Patch, merge.LockedTrace, dict[str, Any]]] = []
    # Lock traces in a fixed order, so concurrent writers cannot deadlock.
    for trace_id in sorted(trace_ids):
        trace = merge.lock_trace(project, trace_id)
        values = patch_for(rubric, user, answers, rev=trace.review_count + 1)
        patch = outbox.put(
            project, trace_id, values, tags=tags_for(rubric, answers),
            source=shorten(f"review by {user.username}", 160), delay=timedelta(seconds=item.queue.grace_seconds),
        )  # fmt: skip
        puts.append((patch, trace, values))
    failpoints.hit("submit.between_rows")
    if len(puts) == 1:
        [(patch, trace, values)] = puts
        return [PushedPatch(patch, merge.apply_patch(project, trace, values, patch_id=patch.pk, review_count=1))]
    applied = [(patch.trace_id, values, patch.pk) for patch, _, values in puts]
    previous_values = merge.apply_patches(project, applied, review_count=1)
    session_push.keep_traces(item.queue, trace_ids)
    pushed = [PushedPatch(put[0], before) for put, before in zip(puts, previous_values, strict=True)]
    return sorted(pushed, key=lambda each: each.patch.trace_id != item.trace_id)


def _resolve_conflict(submission: _Submission) -> Review:
    """Return the saved review if this submit is a repeat of it: the same person's same answers.

    Raises StaleReviewError otherwise.
    """
    latest = Review.objects.select_related("reviewer").filter(item=submission.item, is_latest=True).first()
    user, answers = submission.user, submission.answers
    for review in (latest, _find_by_client_id(submission)):
        if review is not None and review.reviewer_id == user.pk and review.as_tuple == answers.as_tuple:
            return review
    raise StaleReviewError(latest)


def _find_by_client_id(submission: _Submission) -> Review | None:
    if submission.client_id is None:
        return None
    own = Review.objects.filter(item=submission.item, reviewer=submission.user)
    return own.filter(client_id=submission.client_id).first()
