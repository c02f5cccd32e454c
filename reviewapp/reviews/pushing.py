"""What a review pushes to Laminar: the patches of its metadata and tags."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from reviewapp.accounts.models import User
from reviewapp.delivery import outbox
from reviewapp.delivery.models import Patch
from reviewapp.lib import canonical_json, failpoints
from reviewapp.lib.shortening import shorten
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric import answer_values
from reviewapp.reviews import session_push
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

    @property
    def unpushed_keys_text(self) -> str:
        """The keys of the answers that are not pushed, as JSON."""
        return canonical_json.dumps(sorted(self.unpushed_keys)) if self.unpushed_keys else "[]"

    def pushed_answer(self, key: str) -> Any:
        """The criterion's answer as pushed to Laminar; None if it is not pushed."""
        return None if key in self.unpushed_keys else self.criterion_answers.get(key)


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
        members = answer_values.answer_metadata(criterion, answers.pushed_answer(criterion.key))
        patch.update({rubric.key_prefix + key: value for key, value in members.items()})
    return patch


def tags_for(rubric: Queue, answers: Answers) -> list[str]:
    """The tags to add to the trace. They are only ever added: Laminar has no call that removes one."""
    tag_criteria = [criterion for criterion in rubric.parsed_criteria if criterion.kind == "tags"]
    names = [name for criterion in tag_criteria for name in answers.pushed_answer(criterion.key) or []]
    return list(dict.fromkeys(names))


def is_pushed_at_once(item: QueueItem, answers: Answers) -> bool:
    """Whether a review of the item with these answers is pushed when it is submitted.

    If its reviewers shall not know each other's answers, nothing is pushed until all have answered: metadata can be
    read by everybody. An unsure answer asks for a second person, even where one is enough. Combined answers are pushed
    once all have answered, too.
    """
    if item.has_several_reviewers:
        return not (item.queue.is_blind or item.queue.combines_answers)
    return not (item.queue.is_blind and answers.is_unsure)


def put_patches(
    item: QueueItem, user: User, answers: Answers, rubric: Queue, *, extra_values: Mapping[str, Any] | None = None
) -> list[PushedPatch]:
    """Put a patch for the item's trace and each other trace it is pushed to, and merge it. The item's is the first.

    `extra_values` is metadata beside that of `patch_for`, or in its place. Call it in the transaction that saves the
    review.
    """
    project = item.queue.project
    trace_ids = [item.trace_id, *session_push.list_other_traces(item)]
    if len(trace_ids) > 1:
        merge.create_missing_traces(project, trace_ids)
    puts: list[tuple[Patch, merge.LockedTrace, dict[str, Any]]] = []
    # Lock traces in a fixed order, so concurrent writers cannot deadlock.
    for trace_id in sorted(trace_ids):
        trace = merge.lock_trace(project, trace_id)
        values = patch_for(rubric, user, answers, rev=trace.review_count + 1) | dict(extra_values or {})
        patch = outbox.put(
            project, trace_id, values, tags=tags_for(rubric, answers),
            source=shorten(f"review by {user.username}", 160), delay=timedelta(seconds=item.queue.grace_seconds),
            trace=trace,
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
