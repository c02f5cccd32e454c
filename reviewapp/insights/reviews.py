"""Reviews summed up by reviewer, and as CSV."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Count, Max, QuerySet

from reviewapp.lib import clock, csv_cells
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.criteria import Criterion, answer_metadata, format_answer
from reviewapp.reviews.models import Review

HEADER = [
    "item", "trace_id", "reference", "revision", "is_latest", "reviewer", "submitted_at",
    "score", "needs_review", "notes", "delivery",
]  # fmt: skip


def summarise_reviewers(queue: Queue) -> list[dict[str, object]]:
    """Each reviewer of the queue by username: `count` of latest reviews, `flagged` ones, and when the `last` was."""
    latest = Review.objects.filter(queue=queue, is_latest=True)
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
    reviews = reviews.select_related("item", "reviewer", "patch")
    for review in reviews.order_by("item_id", "revision").iterator(chunk_size=500):
        answers = review.criterion_answers if criteria else {}
        yield csv_cells.format_line(
            [*_cells(review), *(cell for criterion in criteria for cell in _answer_cells(criterion, answers))]
        )


def row_lines(reviews: QuerySet[Review]) -> Iterator[str]:
    """CSV line by line, one for each of the reviews, newest first, with its queue and its answers as JSON."""
    yield csv_cells.format_line([*HEADER, "queue", "answers", "accepted_at"])
    in_order = reviews.select_related("item", "reviewer", "patch", "queue").order_by("-submitted_at", "-pk")
    for review in in_order.iterator(chunk_size=500):
        queue = "" if review.queue is None else csv_cells.escape_formula(review.queue.slug)
        accepted_at = "" if review.accepted_at is None else clock.iso(review.accepted_at)
        yield csv_cells.format_line([*_cells(review), queue, review.answers, accepted_at])


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
