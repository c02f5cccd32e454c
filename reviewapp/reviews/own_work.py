"""A person's own work in a queue: their pace, how their answers spread, what they put off and have not submitted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median

from reviewapp.accounts.models import User
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.models import ItemState, Queue, Skip
from reviewapp.reviews.models import Draft, Review

MAX_REVIEWS = 1_000
MAX_LISTED = 50
# Longer between two reviews is a break, not an item.
LONGEST_ITEM = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Share:
    """How often an answer was given, of `total` reviews."""

    label: str
    count: int
    total: int

    @property
    def percent(self) -> int:
        return round(100 * self.count / self.total)


@dataclass(frozen=True, slots=True)
class OwnWork:
    """`pace` is the median number of seconds for an item, None if there is no second one to compare with."""

    review_count: int
    pace: int | None
    scores: Sequence[Share]
    postponed: Sequence[Skip]
    drafts: Sequence[Draft]


def load_own_work(queue: Queue, user: User) -> OwnWork:
    """The person's newest MAX_REVIEWS reviews summed up, and their items for later and drafts, MAX_LISTED at most."""
    own_reviews = Review.objects.filter(item__queue=queue, reviewer=user, is_latest=True)
    rows = list(own_reviews.order_by("-submitted_at").values_list("submitted_at", "score", "is_unsure")[:MAX_REVIEWS])
    labels = Counter(_score_label(score, is_unsure=is_unsure) for _, score, is_unsure in rows)
    skips = Skip.objects.filter(item__queue=queue, user=user, kind=Skip.Kind.LATER, item__state=ItemState.PENDING)
    return OwnWork(
        review_count=own_reviews.count(),
        pace=_median_seconds([submitted_at for submitted_at, *_ in rows]),
        scores=[Share(label, count, len(rows)) for label, count in sorted(labels.items())],
        postponed=list(skips.select_related("item").order_by("at")[:MAX_LISTED]),
        drafts=list_drafts(queue, user),
    )


def list_drafts(queue: Queue, user: User) -> list[Draft]:
    """The person's drafts in the queue, newest first, MAX_LISTED at most."""
    own_drafts = Draft.objects.filter(item__queue=queue, user=user).select_related("item")
    return list(own_drafts.order_by("-saved_at", "-pk")[:MAX_LISTED])


def _score_label(score: Decimal | None, *, is_unsure: bool) -> str:
    if is_unsure:
        return "unsure"
    return "no score" if score is None else format_decimal(score)


def _median_seconds(times: Sequence[datetime]) -> int | None:
    """The median time between neighbours of the newest-first `times`, breaks left out."""
    gaps = [later - earlier for later, earlier in pairwise(times)]
    seconds = [gap.total_seconds() for gap in gaps if timedelta(0) < gap <= LONGEST_ITEM]
    return round(median(seconds)) if seconds else None
