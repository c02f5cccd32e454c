"""Rates with their 95 % intervals: of a plain sample, of a sample with shares, and corrected for a judge's errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from reviewapp.quality.bootstrap import Interval

# The 97.5th percentile of the normal distribution.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class SampledItem:
    """A judged item, and the probability in (0, 1] with which the sampling chose its trace."""

    has_failed: bool
    probability: float


@dataclass(frozen=True, slots=True)
class Rate:
    """An estimated share from 0 to 1, its interval, and how many equally weighted items would be as exact."""

    share: float
    interval: Interval
    effective_count: float


def wilson_interval(share: float, count: float) -> Interval:
    """Wilson's interval for a share observed in `count` items, which need not be whole; (0, 1) for no items."""
    if count <= 0:
        return Interval(0.0, 1.0)
    centre = share + _Z**2 / (2 * count)
    margin = _Z * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    divisor = 1 + _Z**2 / count
    return Interval(max(0.0, (centre - margin) / divisor), min(1.0, (centre + margin) / divisor))


def estimate_rate(items: Sequence[SampledItem]) -> Rate | None:
    """The share of failures among all traces that the sampling could have chosen; None without items.

    Each item stands for 1 / probability traces (Hajek). The interval is Wilson's for the number of equally weighted
    items with the same variance; where all or none failed, for Kish's effective sample size.
    """
    if not items:
        return None
    weights = [1 / item.probability for item in items]
    total = sum(weights)
    share = sum(weight for item, weight in zip(items, weights, strict=True) if item.has_failed) / total
    variance = sum(
        (weight * (item.has_failed - share) / total) ** 2 for item, weight in zip(items, weights, strict=True)
    )
    kish = total**2 / sum(weight**2 for weight in weights)
    effective_count = min(share * (1 - share) / variance, len(items)) if variance > 0 else kish
    return Rate(share, wilson_interval(share, effective_count), effective_count)


def count_further_reviews(rate: Rate, reviews: int, half_width: float) -> int:
    """How many more reviews, sampled like the `reviews` so far, narrow the interval to ± `half_width`; 0 if it is.

    Raises ValueError unless `half_width` is above 0.
    """
    if half_width <= 0:
        raise ValueError("The half width must be above 0.")
    variance = rate.share * (1 - rate.share)
    # Wilson's half width squared is (v n + z²/4) z² / (n + z²)²; solved for n.
    square = (half_width / _Z) ** 2
    linear = 2 * square * _Z**2 - variance
    constant = square * _Z**4 - _Z**2 / 4
    wanted = (-linear + sqrt(max(0.0, linear**2 - 4 * square * constant))) / (2 * square)
    return max(0, ceil((wanted - rate.effective_count) * reviews / rate.effective_count))


def correct_rate(observed: float, sensitivity: float, specificity: float) -> float | None:
    """The true share of failures behind a judge's `observed` one (Rogan and Gladen 1978), within 0 and 1.

    `sensitivity` is the share of failures it catches, `specificity` the share of good ones it leaves alone. None for a
    judge that is no better than chance.
    """
    strength = sensitivity + specificity - 1
    if strength <= 0:
        return None
    return min(1.0, max(0.0, (observed + specificity - 1) / strength))
