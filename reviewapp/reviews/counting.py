"""Count reviews beside every save, and recount them: once after the migration, and daily to repair what went wrong."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, timedelta

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditHead
from reviewapp.lib import clock, sql
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.models import Queue
from reviewapp.reviews import queries
from reviewapp.reviews.count_models import ReviewCount
from reviewapp.reviews.models import Review

log = logging.getLogger(__name__)

RECOUNT_INTERVAL = timedelta(days=1)
# Queues that one maintenance round counts for the first time; of the others, it recounts one.
MAX_QUEUES = 10
_NUMBERS = ("reviews", "flagged", "unsure", "timed", "active_seconds")
# The kind and value of a counter, and its numbers in the order of _NUMBERS.
Key = tuple[str, str]
Numbers = tuple[int, ...]


def count_reviews(queue: Queue, added: Iterable[Review], removed: Iterable[Review]) -> None:
    """Add reviews that became the newest of their person to the counters, and subtract those that no longer are.

    Call it after the audit event, in its transaction: the chain's lock makes the writers of a project go one after
    the other, so concurrent writers cannot deadlock, and a recount misses nothing.
    """
    changes: defaultdict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
    for sign, reviews in ((-1, removed), (1, added)):
        for review in reviews:
            for key, numbers in _measure(review).items():
                change = changes[review.reviewer_id, *key]
                for name, number in zip(_NUMBERS, numbers, strict=True):
                    change[name] += sign * number
    rows = [(queue.pk, *key, *(change[name] for name in _NUMBERS)) for key, change in sorted(changes.items())]
    if rows:
        sql.insert(queries.COUNT_REVIEWS, rows, queries.ADD_COUNTS)


def _measure(review: Review) -> dict[Key, Numbers]:
    """What one review adds to its counters."""
    day = review.submitted_at.astimezone(UTC).date().isoformat()
    is_timed = review.active_seconds is not None
    counts: dict[Key, Numbers] = {
        (ReviewCount.Kind.DAY.value, day): (
            1, int(review.needs_review), int(review.is_unsure), int(is_timed), review.active_seconds or 0,
        )
    }  # fmt: skip
    if review.score is not None:
        counts[ReviewCount.Kind.SCORE.value, review.score_text] = (1, 0, 0, 0, 0)
    return counts


def recount_due() -> None:
    """Count the reviews of queues that were never counted, and recount one queue that was not for a day."""
    uncounted = Queue.objects.filter(reviews_counted_at=None).order_by("pk")[:MAX_QUEUES]
    outdated = Queue.objects.filter(reviews_counted_at__lt=clock.now() - RECOUNT_INTERVAL)
    for queue in list(uncounted) or outdated.order_by("reviews_counted_at")[:1]:
        recount(queue)


def recount(queue: Queue) -> int:
    """Count the queue's reviews and repair the counters. Returns the number of people whose counters were wrong."""
    reviews = Review.objects.filter(item__queue=queue, is_latest=True)
    counters = ReviewCount.objects.filter(queue=queue)
    reviewers = {
        pk for rows in (reviews, counters) for pk in rows.order_by().values_list("reviewer", flat=True).distinct()
    }
    repaired = sum(_recount_reviewer(queue, reviewer) for reviewer in sorted(reviewers))
    if repaired and queue.reviews_counted_at is not None:
        log.warning("Counters of queue %s were wrong for %s people and were repaired", queue.pk, repaired)
    Queue.objects.filter(pk=queue.pk).update(reviews_counted_at=clock.now())
    return repaired


def is_counting(project: Project) -> bool:
    """Whether some of the project's reviews are not counted yet."""
    return Queue.objects.filter(project=project, reviews_counted_at=None).exists()


@transaction.atomic
def _recount_reviewer(queue: Queue, reviewer: int) -> bool:
    """Recount one person's reviews; whether the counters were wrong. Saves wait for it, so it is short."""
    # Whoever changes a counter has this lock until the commit.
    list(AuditHead.objects.select_for_update().filter(project=queue.project_id).values_list("pk"))
    correct = _count(queue, reviewer)
    counters = ReviewCount.objects.filter(queue=queue, reviewer=reviewer)
    stored = {
        (kind, value): tuple(numbers) for kind, value, *numbers in counters.values_list("kind", "value", *_NUMBERS)
    }
    if correct == {key: numbers for key, numbers in stored.items() if any(numbers)}:
        return False
    counters.delete()
    rows = [(queue.pk, reviewer, *key, *numbers) for key, numbers in sorted(correct.items())]
    if rows:
        sql.insert(queries.COUNT_REVIEWS, rows)
    return True


def _count(queue: Queue, reviewer: int) -> dict[Key, Numbers]:
    reviews = Review.objects.filter(item__queue=queue, reviewer=reviewer, is_latest=True).order_by()
    by_day = reviews.annotate(day=TruncDate("submitted_at", tzinfo=UTC)).values("day").annotate(
        total=Count("pk"), flagged=Count("pk", filter=Q(needs_review=True)),
        unsure=Count("pk", filter=Q(is_unsure=True)), timed=Count("active_seconds"),
        seconds=Coalesce(Sum("active_seconds"), 0),
    )  # fmt: skip
    rows = by_day.values_list("day", "total", "flagged", "unsure", "timed", "seconds")
    counts: dict[Key, Numbers] = {
        (ReviewCount.Kind.DAY.value, day.isoformat()): tuple(numbers) for day, *numbers in rows
    }
    for score, count in reviews.exclude(score=None).values_list("score").annotate(Count("pk")):
        counts[ReviewCount.Kind.SCORE.value, format_decimal(score)] = (count, 0, 0, 0, 0)
    return counts
