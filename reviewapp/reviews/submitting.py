"""Submit a review: one transaction here, and only then a push.

Laminar has no part in it. What it says, and when, changes nothing about the save.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.lib import canonical_json, failpoints, sql
from reviewapp.queues import claiming, skipping
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from reviewapp.queues.rubric import criteria
from reviewapp.reviews import drafts
from reviewapp.reviews.models import Review, format_decimal
from reviewapp.traces.metadata import merge

_ADD_REVIEW = """
    INSERT INTO reviewapp_review
        (item_id, revision, is_latest, reviewer_id, score, notes, needs_review, is_unsure, keeps_notes_here,
        answers, rubric_version, patch_id, submitted_at, client_id, before)
    VALUES (%s, %s, TRUE, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a reviewer said; None and empty where nothing was said. `own` are those to the queue's criteria by key."""

    score: Decimal | None
    notes: str
    needs_review: bool
    # The answers to the queue's criteria by key.
    criterion_answers: Mapping[str, Any] = field(default_factory=dict)
    # No score is forced: the item goes to a second person.
    is_unsure: bool = False
    # The notes stay here for this review, whatever the queue's setting; and so do the answers with these keys.
    keeps_notes_here: bool = False
    kept: frozenset[str] = frozenset()

    @property
    def said(self) -> tuple[object, ...]:
        """All that is answered, to compare."""
        return (self.score, self.notes, self.needs_review, self.is_unsure, dict(self.criterion_answers))

    def pushed(self, key: str) -> Any:
        """What Laminar is told of the answer with this key; None for one that stays here."""
        return None if key in self.kept else self.criterion_answers.get(key)


class StaleReviewError(Exception):
    """The form was opened on another revision than the item has; nothing was written.

    `latest` is the item's newest revision, None when it has none yet.
    """

    def __init__(self, latest: Review | None) -> None:
        super().__init__("The item was reviewed meanwhile.")
        self.latest = latest


def submit(item: QueueItem, user: User, answers: Answers, *, version: int, client_id: UUID | None = None) -> Review:
    """Save one revision of the item's review, with everything that has to stand with it; its draft goes.

    `client_id` is the form's own mark. Raises Stale when the item is no longer at `version`; sending the very
    same answers again is no conflict but the same review, and with the same `client_id` also when a colleague
    has reviewed the item since. Answers that change nothing make no revision either. Raises
    canonical_json.NotCanonical for a text Laminar would drop.
    """
    standing = _standing(item, user, answers, version)
    if standing is not None:
        return standing
    try:
        with transaction.atomic():
            if claiming.complete(item, version, stays_pending=answers.is_unsure):
                drafts.delete_draft(item, user)
                review = _write(item, item.queue, user, answers, version + 1, client_id)
                failpoints.hit("submit.before_commit")
                return review
    except IntegrityError:
        # The mark belongs to a review of another item: then it says nothing of this one.
        if client_id is None:
            raise
        return submit(item, user, answers, version=version)
    latest = Review.objects.select_related("reviewer").filter(item=item, is_latest=True).first()
    for before in (latest, _sent_before(item, user, client_id)):
        if before is not None and before.reviewer_id == user.pk and before.said == answers.said:
            return before
    raise StaleReviewError(latest)


def patch_for(queue: Queue, user: User, answers: Answers, rev: int) -> dict[str, Any]:
    """The metadata that a review pushes: always every key of the queue, null where nothing was said.

    The merge there deletes nothing, so a key once sent stays until it is sent again.
    """
    keys = queue.builtin_keys
    patch: dict[str, Any] = {
        keys["score"]: answers.score,
        keys["notes"]: None if answers.keeps_notes_here else answers.notes or None,
        keys["needs_review"]: answers.needs_review,
        keys["reviewer"]: user.username,
        keys["review_rev"]: rev,
    }
    if queue.keeps_notes_here:
        del patch[keys["notes"]]
    for criterion in queue.parsed_criteria:
        members = criteria.answer_metadata(criterion, answers.pushed(criterion.key))
        patch.update({queue.key_prefix + key: value for key, value in members.items()})
    return patch


def tags_for(queue: Queue, answers: Answers) -> list[str]:
    """The names to tag the trace with. They are only ever added: nothing there takes a tag back."""
    given = [answers.pushed(criterion.key) or [] for criterion in queue.parsed_criteria if criterion.kind == "tags"]
    return list(dict.fromkeys(name for names in given for name in names))


def _standing(item: QueueItem, user: User, answers: Answers, version: int) -> Review | None:
    """This person's newest review, where these answers change nothing of it nor of what it pushed; the draft goes."""
    state = ItemState.PENDING if answers.is_unsure else ItemState.COMPLETED
    if version == 0 or (item.version, item.state) != (version, state):
        return None
    queue = item.queue
    latest = Review.objects.select_related("patch").filter(item=item, is_latest=True, reviewer=user).first()
    if latest is None or (latest.said, latest.rubric_version) != (answers.said, queue.rubric_version):
        return None
    pushed = latest.patch
    wanted = canonical_json.loads(canonical_json.dumps(patch_for(queue, user, answers, rev=0)))
    del wanted[queue.builtin_keys["review_rev"]]
    if any(key not in pushed.values or pushed.values[key] != value for key, value in wanted.items()):
        return None
    if not set(tags_for(queue, answers)) <= set(pushed.tag_names):
        return None
    drafts.delete_draft(item, user)
    if answers.is_unsure:
        claiming.release(item, user)
    return latest


def _sent_before(item: QueueItem, user: User, client_id: UUID | None) -> Review | None:
    if client_id is None:
        return None
    return Review.objects.filter(item=item, reviewer=user, client_id=client_id).first()


def _write(
    item: QueueItem, queue: Queue, user: User, answers: Answers, revision: int, client_id: UUID | None
) -> Review:
    project = queue.project
    held = merge.lock_trace(project, item.trace_id)
    values = patch_for(queue, user, answers, rev=held.review_count + 1)
    patch = outbox.put(
        project, item.trace_id, values, tags=tags_for(queue, answers), source=f"review by {user.username}"[:160],
        delay=timedelta(seconds=queue.grace_seconds),
    )  # fmt: skip
    failpoints.hit("submit.between_rows")
    before = merge.apply_patch(project, held, values, patch_id=patch.pk, review_count=1)
    if revision > 1:
        Review.objects.filter(item=item, is_latest=True).update(is_latest=False)
    review = Review(
        item=item, revision=revision, reviewer=user, patch=patch, client_id=client_id,
        score=answers.score, notes=answers.notes, needs_review=answers.needs_review, is_unsure=answers.is_unsure,
        keeps_notes_here=answers.keeps_notes_here, rubric_version=queue.rubric_version,
        answers=canonical_json.dumps(answers.criterion_answers) if answers.criterion_answers else "{}",
    )  # fmt: skip
    review.pk = sql.fetch_rows(
        _ADD_REVIEW, item.pk, revision, user.pk, review.score, review.notes, review.needs_review, review.is_unsure,
        review.keeps_notes_here, review.answers, review.rubric_version, patch.pk, review.submitted_at, client_id,
        json.dumps(before),
    )[0][0]  # fmt: skip
    if answers.is_unsure:
        skipping.save_skip(item, user, Skip.Kind.UNSURE)
    record(
        project, user, "submitted review", f"item:{item.pk}", revision=revision,
        score=None if answers.score is None else format_decimal(answers.score), needs_review=answers.needs_review,
    )  # fmt: skip
    return review
