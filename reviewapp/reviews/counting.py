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
# The person, kind and value of a counter, and its numbers in the order of _NUMBERS.
Key = tuple[int, str, str]
Numbers = tuple[int, ...]


def count_reviews(queue: Queue, added: Iterable[Review], removed: Iterable[Review]) -> None:
    """Add reviews that became the newest of their person to the counters, and subtract those that no longer are.

    Call it after the audit event, in its transaction: the chain's lock makes the writers of a project go one after
    the other, so concurrent writers cannot deadlock, and a recount misses nothing.
    """
    changes: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for sign, reviews in ((-1, removed), (1, added)):
        for review in reviews:
            for key, numbers in _measure(review).items():
                change = changes[key]
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
        (review.reviewer_id, ReviewCount.Kind.DAY.value, day): (
            1, int(review.needs_review), int(review.is_unsure), int(is_timed), review.active_seconds or 0,
        )
    }  # fmt: skip
    if review.score is not None:
        counts[review.reviewer_id, ReviewCount.Kind.SCORE.value, review.score_text] = (1, 0, 0, 0, 0)
    return counts


def recount_due() -> None:
    """Count the reviews of queues that were never counted, and recount one queue that was not for a day."""
    uncounted = Queue.objects.filter(reviews_counted_at=None).order_by("pk")[:MAX_QUEUES]
    outdated = Queue.objects.filter(reviews_counted_at__lt=clock.now() - RECOUNT_INTERVAL)
    for queue in list(uncounted) or outdated.order_by("reviews_counted_at")[:1]:
        recount(queue)


@transaction.atomic
def recount(queue: Queue) -> int:
    """Count the queue's reviews and repair the counters. Returns the number of people whose counters were wrong.

    Saves of the project wait for it: some 30 ms for 5,000 reviews.
    """
    # Whoever changes a counter has this lock until the commit.
    list(AuditHead.objects.select_for_update().filter(project=queue.project_id).values_list("pk"))
    correct = _count(queue)
    counters = ReviewCount.objects.filter(queue=queue)
    stored: dict[Key, Numbers] = {
        (reviewer, kind, value): tuple(numbers)
        for reviewer, kind, value, *numbers in counters.values_list("reviewer", "kind", "value", *_NUMBERS)
    }
    differences = correct.items() ^ {key: numbers for key, numbers in stored.items() if any(numbers)}.items()
    reviewers = {reviewer for (reviewer, *_), _ in differences}
    counters.filter(reviewer__in=reviewers).delete()
    rows = [(queue.pk, *key, *numbers) for key, numbers in sorted(correct.items()) if key[0] in reviewers]
    if rows:
        sql.insert(queries.COUNT_REVIEWS, rows)
    if reviewers and queue.reviews_counted_at is not None:
        log.warning("Counters of queue %s were wrong for %s people and were repaired", queue.pk, len(reviewers))
    Queue.objects.filter(pk=queue.pk).update(reviews_counted_at=clock.now())
    return len(reviewers)


def is_counting(project: Project) -> bool:
    """Whether some of the project's reviews are not counted yet."""
    return Queue.objects.filter(project=project, reviews_counted_at=None).exists()


def _count(queue: Queue) -> dict[Key, Numbers]:
    """The numbers that the counters of the queue should have."""
    reviews = Review.objects.filter(item__queue=queue, is_latest=True).order_by()
    by_day = reviews.annotate(day=TruncDate("submitted_at", tzinfo=UTC)).values("reviewer", "day").annotate(
        total=Count("pk"), flagged=Count("pk", filter=Q(needs_review=True)),
        unsure=Count("pk", filter=Q(is_unsure=True)), timed=Count("active_seconds"),
        seconds=Coalesce(Sum("active_seconds"), 0),
    )  # fmt: skip
    counts: dict[Key, Numbers] = {}
    rows = by_day.values_list("reviewer", "day", "total", "flagged", "unsure", "timed", "seconds")
    for reviewer, day, *numbers in rows:
        counts[reviewer, ReviewCount.Kind.DAY.value, day.isoformat()] = tuple(numbers)
    scores = reviews.exclude(score=None).values_list("reviewer", "score").annotate(Count("pk"))
    for reviewer, score, count in scores:
        counts[reviewer, ReviewCount.Kind.SCORE.value, format_decimal(score)] = (count, 0, 0, 0, 0)
    return counts
