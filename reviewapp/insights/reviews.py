"""A queue's reviews: filtered, summed up by reviewer, and as CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.http import QueryDict

from reviewapp.delivery.models import State
from reviewapp.lib import clock, csv_cells
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.criteria import Criterion, answer_metadata, format_answer
from reviewapp.reviews.models import Review, SessionPatch

HEADER = [
    "item", "trace_id", "reference", "revision", "is_latest", "reviewer", "submitted_at",
    "score", "needs_review", "notes", "delivery",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """A filter on reviews; an empty text filters nothing, and unknown values are ignored."""

    reviewer: str
    needs_review: str
    delivery: str

    @classmethod
    def parse(cls, query: QueryDict) -> "ReviewFilter":
        needs_review, delivery = query.get("needs_review", ""), query.get("delivery", "")
        return cls(
            query.get("reviewer", "").replace("\x00", ""),
            needs_review if needs_review in ("yes", "no") else "",
            delivery if delivery in State.values else "",
        )

    def apply(self, queue: Queue) -> QuerySet[Review]:
        """The matching revisions of the queue's reviews."""
        reviews = Review.objects.filter(item__queue=queue).select_related("item", "reviewer", "patch")
        if self.reviewer:
            reviews = reviews.filter(reviewer__username=self.reviewer)
        if self.needs_review:
            reviews = reviews.filter(needs_review=self.needs_review == "yes")
        if self.delivery:
            others = SessionPatch.objects.filter(review=OuterRef("pk"), patch__state=self.delivery)
            reviews = reviews.filter(Q(patch__state=self.delivery) | Exists(others))
        return reviews


def summarise_reviewers(queue: Queue) -> list[dict[str, object]]:
    """Each reviewer of the queue by username: `count` of latest reviews, `flagged` ones, and when the `last` was."""
    latest = Review.objects.filter(item__queue=queue, is_latest=True)
    flagged = dict(latest.filter(needs_review=True).order_by().values_list("reviewer__username").annotate(Count("pk")))
    rows = (
        latest.order_by("reviewer__username")
        .values("reviewer__username")
        .annotate(count=Count("pk"), last=Max("submitted_at"))
    )
    return [
        {"username": row["reviewer__username"], "count": row["count"], "last": row["last"],
         "flagged": flagged.get(row["reviewer__username"], 0)}
        for row in rows
    ]  # fmt: skip


def csv_lines(reviews: QuerySet[Review], criteria: Sequence[Criterion] = ()) -> Iterator[str]:
    """CSV line by line, one for each revision; cells that a spreadsheet would run as a formula are escaped.

    After the built-in answers, each of the `criteria` has a column; a first error has one for each of its keys.
    """
    yield csv_cells.format_line([*HEADER, *(name for criterion in criteria for name in _columns(criterion))])
    for review in reviews.order_by("item_id", "revision").iterator(chunk_size=500):
        answers = review.criterion_answers if criteria else {}
        yield csv_cells.format_line(
            [*_cells(review), *(cell for criterion in criteria for cell in _answer_cells(criterion, answers))]
        )


def _columns(criterion: Criterion) -> list[str]:
    if criterion.kind == "first_error":
        return [f"answer.{key}" for key in criterion.metadata_keys]
    return [criterion.field_name]


def _answer_cells(criterion: Criterion, answers: Mapping[str, Any]) -> list[str]:
    value = answers.get(criterion.key)
    # Of an older rubric, in which the criterion was of another kind.
    is_other = not isinstance(value, dict) or "at" not in value
    if criterion.kind != "first_error":
        return [_answer_cell(value)]
    if is_other:
        return [_answer_cell(value), ""]
    return list(map(_answer_cell, answer_metadata(criterion, value).values()))


def _answer_cell(value: Any) -> str:
    is_number = isinstance(value, (int, float))
    return format_answer(value) if is_number else csv_cells.escape_formula(format_answer(value))


def _cells(review: Review) -> list[object]:
    return [
        review.item_id,
        review.item.trace_id,
        csv_cells.escape_formula(review.item.reference),
        review.revision,
        "yes" if review.is_latest else "no",
        csv_cells.escape_formula(review.reviewer.username),
        clock.iso(review.submitted_at),
        review.score_text,
        "true" if review.needs_review else "false",
        csv_cells.escape_formula(review.notes),
        review.delivery_state,
    ]
