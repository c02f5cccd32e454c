"""A queue's reviews as a list one can narrow, and as a file one can take away."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.http import QueryDict

from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.lib.csv_cells import escape_formula
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.criteria import Criterion, format_answer
from reviewapp.reviews.models import Review

HEADER = [
    "item", "trace_id", "reference", "revision", "is_latest", "reviewer", "submitted_at",
    "score", "needs_review", "notes", "delivery",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """What a lead asked for; an empty text narrows nothing. Values not in the lists are left out."""

    reviewer: str
    needs_review: str
    delivery: str

    @classmethod
    def read(cls, query: QueryDict) -> "ReviewFilter":
        def one_of(name: str, allowed: list[str]) -> str:
            text = query.get(name, "")
            return text if text in allowed else ""

        return cls(
            query.get("reviewer", "")[:80].replace("\x00", ""),
            one_of("needs_review", ["yes", "no"]),
            one_of("delivery", State.values),
        )

    def of(self, queue: Queue) -> QuerySet[Review]:
        found = Review.objects.filter(item__queue=queue).select_related("item", "reviewer", "patch")
        if self.reviewer:
            found = found.filter(reviewer__username=self.reviewer)
        if self.needs_review:
            found = found.filter(needs_review=self.needs_review == "yes")
        if self.delivery:
            found = found.filter(patch__state=self.delivery)
        return found


def summarise_reviewers(queue: Queue) -> list[dict[str, object]]:
    """Each reviewer of the queue: username, items whose latest review is theirs, flagged ones, last time."""
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


def csv_lines(reviews: QuerySet[Review], asked: Sequence[Criterion] = ()) -> Iterator[str]:
    """A CSV text line by line, every revision with its author and time; no cell is a formula.

    Behind the built-in answers stands a column for each criterion that is `asked`.
    """
    yield _line([*HEADER, *(criterion.field_name for criterion in asked)])
    for review in reviews.order_by("item_id", "revision").iterator(chunk_size=500):
        own = review.criterion_answers if asked else {}
        yield _line([*_cells(review), *(_cell(own.get(criterion.key)) for criterion in asked)])


def _cell(value: Any) -> str:
    is_number = isinstance(value, (int, float))
    return format_answer(value) if is_number else escape_formula(format_answer(value))


def _cells(review: Review) -> list[object]:
    return [
        review.item_id,
        review.item.trace_id,
        escape_formula(review.item.reference),
        review.revision,
        "yes" if review.is_latest else "no",
        escape_formula(review.reviewer.username),
        clock.iso(review.submitted_at),
        review.score_text,
        "true" if review.needs_review else "false",
        escape_formula(review.notes),
        review.patch.state,
    ]


def _line(cells: Sequence[object]) -> str:
    text = StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
