"""A review's revisions side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reviewapp.lib.word_diff import Budget, Diff, diff
from reviewapp.reviews.models import Review, attach_rubrics

MAX_REVISIONS = 50


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One answer before and after, as a word diff; `is_changed` if they differ."""

    label: str
    diff: Diff
    is_changed: bool


@dataclass(frozen=True, slots=True)
class RevisionChange:
    """A revision and how its answers differ from the one before; the first differs from nothing."""

    revision: Review
    fields: Sequence[FieldChange]


def compare_revisions(review: Review) -> list[RevisionChange]:
    """The newest revisions of the review, newest first, each with its changes.

    If several people review the item, only those of the review's person.
    """
    revisions = Review.objects.filter(item=review.item).select_related("reviewer", "patch", "accepted_by")
    if review.item.has_several_reviewers:
        revisions = revisions.filter(reviewer=review.reviewer)
    newest = list(revisions.order_by("-revision")[:MAX_REVISIONS])
    for revision in newest:
        revision.item = review.item
    attach_rubrics(newest)
    budget = Budget()
    pairs = pairwise([*newest, None])
    return [RevisionChange(after, _compare(before, after, budget)) for after, before in pairs if after is not None]


def _compare(before: Review | None, after: Review, budget: Budget) -> list[FieldChange]:
    old, new = {} if before is None else _texts(before), _texts(after)
    labels = list(dict.fromkeys([*new, *old]))
    return [
        FieldChange(
            label, diff(old.get(label, "") if before else new.get(label, ""), new.get(label, ""), budget),
            before is not None and old.get(label, "") != new.get(label, ""),
        )
        for label in labels
    ]  # fmt: skip


def _texts(review: Review) -> dict[str, str]:
    """The answers as texts under their labels."""
    built_in = {
        "Score": "unsure" if review.is_unsure else review.score_text,
        "Needs review": "yes" if review.needs_review else "",
        "Notes": review.notes,
    }  # fmt: skip
    answers = {answer.label: answer.text for answer in review.labelled_answers}
    return {label: text for label, text in (built_in | answers).items() if text}
