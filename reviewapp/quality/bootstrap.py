"""95 % intervals by a bootstrap over items: how much a figure would move with other items of the same kind."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

Items = Mapping[Any, float]
Figure = Callable[[Items], float | None]

# The same data give the same interval on every page and in every export.
_SEED = 20_260_101
_ROUNDS = 1_000
# Of more kinds of items than this, a few random subsets stand for all: a page of figures stays below a second.
_MAX_KINDS, _SUBSETS, _SUBSET_ROUNDS = 250, 4, 100


@dataclass(frozen=True, slots=True)
class Interval:
    """The limits between which a figure lies with 95 % confidence."""

    low: float
    high: float


def bootstrap(items: Items, figure: Figure) -> Interval | None:
    """Return the 95 % interval of `figure` over reweighted items; None if it has no value for half of them.

    `items` counts the items of each kind, in whole numbers. The bootstrap is Rubin's (1981): a round weighs the items
    at random instead of drawing some of them twice and others not at all. The weight of a kind of n items is one gamma
    variate, so that 100,000 equal items cost as much as one. Many kinds are bootstrapped by subsets, each weighted as
    if it were the whole (Kleiner 2014, "bag of little bootstraps").
    """
    random = Random(_SEED)  # noqa: S311 -- statistics, not secrets
    value, total = figure(items), sum(items.values())
    if len(items) <= _MAX_KINDS:
        subsets, rounds = [items], _ROUNDS
    else:
        subsets, rounds = [_draw_subset(random, items) for _ in range(_SUBSETS)], _SUBSET_ROUNDS
    measured = [_measure_deviations(random, subset, total, figure, rounds) for subset in subsets]
    deviations = [deviation for deviation in measured if deviation is not None]
    if value is None or not deviations:
        return None
    return Interval(value + fmean(low for low, _ in deviations), value + fmean(high for _, high in deviations))


def _measure_deviations(
    random: Random, items: Items, total: float, figure: Figure, rounds: int
) -> tuple[float, float] | None:
    """How far the 2.5 and 97.5 percentiles of `figure` lie from its value; None if it has too few values."""
    value, share = figure(items), total / (sum(items.values()) or 1)
    values = []
    for _ in range(rounds):
        weights = {kind: random.gammavariate(count * share, 1.0) for kind, count in items.items() if count > 0}
        scale = total / (sum(weights.values()) or 1.0)
        result = figure({kind: weight * scale for kind, weight in weights.items()})
        if result is not None:
            values.append(result)
    if value is None or len(values) * 2 < rounds:
        return None
    values.sort()
    return _percentile(values, 0.025) - value, _percentile(values, 0.975) - value


def _draw_subset(random: Random, items: Items) -> Items:
    """A random part of the items, with `_MAX_KINDS` kinds at most."""
    kinds, counts = list(items), [round(count) for count in items.values()]
    return Counter(random.sample(kinds, _MAX_KINDS, counts=counts))


def _percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, interpolated."""
    position = share * (len(values) - 1)
    index = int(position)
    above = values[min(index + 1, len(values) - 1)]
    return values[index] + (above - values[index]) * (position - index)
