"""The estimated failure rate of what a queue's rules sample from, with its interval."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from reviewapp.lib import canonical_json
from reviewapp.quality.failures import FailureTest
from reviewapp.quality.rates import Rate, SampledItem, count_further_reviews, estimate_rate
from reviewapp.queues.models import ItemState, Queue, QueueItem, Rule
from reviewapp.reviews.models import Review

# The page says how many more reviews narrow the interval to so many points on either side.
HALF_WIDTH = 0.05


@dataclass(frozen=True, slots=True)
class RuleRate:
    """What one rule's sample says. `rule` is None for items of rules that were deleted.

    `sampled` items are in the queue, `judged` of these are completed and answer the question, `failed` of these failed.
    """

    rule: Rule | None
    sampled: int
    judged: int
    failed: int
    rate: Rate | None

    @property
    def further_reviews(self) -> int | None:
        """How many more reviews narrow the interval to HALF_WIDTH; None without any."""
        return None if self.rate is None else count_further_reviews(self.rate, self.judged, HALF_WIDTH)

    @property
    def has_rest(self) -> bool:
        """Whether the rule samples all traces, not only those that match its conditions."""
        return self.rule is not None and (self.rule.rest_percent > 0 or not self.rule.conditions)


def estimate_failure_rates(queue: Queue, test: FailureTest) -> list[RuleRate]:
    """One rate for each rule that has added items, the largest sample first: each rule samples other traces.

    Items that were added by hand have no probability and are left out.
    """
    by_rule: dict[int | None, list[SampledItem]] = defaultdict(list)
    for rule_id, item in _load_items(queue, test):
        by_rule[rule_id].append(item)
    rules = {rule.pk: rule for rule in Rule.objects.filter(queue=queue)}
    rates = []
    for rule_id, sampled in count_sampled(queue).items():
        items = by_rule[rule_id]
        failed = sum(item.has_failed for item in items)
        rule = None if rule_id is None else rules.get(rule_id)
        rates.append(RuleRate(rule, sampled, len(items), failed, estimate_rate(items)))
    return sorted(rates, key=lambda rate: -rate.sampled)


def count_sampled(queue: Queue) -> dict[int | None, int]:
    """The number of items that each rule sampled into the queue."""
    sampled = QueueItem.objects.filter(queue=queue, inclusion_probability__isnull=False).order_by()
    return dict(sampled.values_list("rule").annotate(Count("pk")))


def count_hand_picked(queue: Queue) -> int:
    """The number of completed items without a probability."""
    items = QueueItem.objects.filter(queue=queue, state=ItemState.COMPLETED)
    return items.filter(inclusion_probability=None).count()


def _load_items(queue: Queue, test: FailureTest) -> list[tuple[int | None, SampledItem]]:
    """The judged items with their rules. Of several reviews of an item, half or more must say that it failed."""
    reviews = Review.objects.filter(
        item__queue=queue, item__state=ItemState.COMPLETED, item__inclusion_probability__isnull=False,
        is_latest=True, is_unsure=False,
    ).select_related("item__sample_day").only(
        "score", "needs_review", *(["answers"] if test.key else []),
        "item__rule_id", "item__inclusion_probability", "item__sample_day__kept", "item__sample_day__eligible",
    )  # fmt: skip
    judgements: dict[int, list[bool]] = defaultdict(list)
    items: dict[int, QueueItem] = {}
    for review in reviews.iterator(chunk_size=2_000):
        answers: dict[str, Any] = canonical_json.loads(review.answers) if test.key else {}
        has_failed = test.has_failed(review.score, answers, needs_review=review.needs_review)
        if has_failed is not None:
            judgements[review.item_id].append(has_failed)
            items[review.item_id] = review.item
    return [(item.rule_id, _make_sampled(item, judgements[pk])) for pk, item in items.items()]


def _make_sampled(item: QueueItem, judgements: Sequence[bool]) -> SampledItem:
    return SampledItem(2 * sum(judgements) >= len(judgements), item.sampling_probability or 1.0)
