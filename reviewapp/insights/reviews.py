"""Reviews summed up by reviewer, and the rows of the list of reviews as CSV."""

from collections.abc import Iterator

from django.db.models import Count, Max, QuerySet

from reviewapp.lib import clock, csv_cells
from reviewapp.queues.models import Queue
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


def row_lines(reviews: QuerySet[Review]) -> Iterator[str]:
    """CSV line by line, one for each of the reviews, newest first, with its queue and its answers as JSON."""
    yield csv_cells.format_line([*HEADER, "queue", "answers", "accepted_at"])
    in_order = reviews.select_related("item", "reviewer", "patch", "queue").order_by("-submitted_at", "-pk")
    for review in in_order.iterator(chunk_size=500):
        queue = "" if review.queue is None else csv_cells.escape_formula(review.queue.slug)
        accepted_at = "" if review.accepted_at is None else clock.iso(review.accepted_at)
        yield csv_cells.format_line([*_cells(review), queue, review.answers, accepted_at])


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
