"""How well reviewers agree: raw agreement, Krippendorff's alpha, Cohen's kappa and Gwet's AC1, in plain Python.

Answers come counted, since thousands of items share a few combinations: a mapping from the answers one item got to the
number of items that got them. An item with a missing or unsure answer has fewer answers. Every figure is None where it
says nothing: without two answers to compare, or, for figures corrected for chance, without variation.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import combinations
from typing import Any

# The answers of an item, of any hashable kind, and how many items got them. A bootstrap weighs items, so that the
# counts need not be whole.
ItemCounts = Mapping[tuple[Any, ...], float]
NumberCounts = Mapping[tuple[float, ...], float]
Figure = float | None


class Weights(StrEnum):
    """What a disagreement costs: always 1, the distance of the two answers, or its square."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


_COSTS: dict[Weights, Callable[[float, float], float]] = {
    Weights.NONE: lambda first, second: float(first != second),
    Weights.LINEAR: lambda first, second: abs(first - second),
    Weights.QUADRATIC: lambda first, second: (first - second) ** 2,
}


def raw_agreement(items: ItemCounts) -> Figure:
    """The share of pairs of answers to one item that are equal."""
    pairs = equal = 0.0
    for answers, count in items.items():
        for first, second in combinations(answers, 2):
            pairs += count
            equal += count * (first == second)
    return equal / pairs if pairs else None


def nominal_alpha(items: ItemCounts) -> Figure:
    """Krippendorff's alpha for answers without an order, such as options (Krippendorff 2011, section C)."""
    items = _comparable(items)
    frequencies = count_answers(items)
    total = sum(frequencies.values())
    observed = sum(
        count * (len(answers) ** 2 - sum(times**2 for times in Counter(answers).values())) / (len(answers) - 1)
        for answers, count in items.items()
    )
    expected = total**2 - sum(frequency**2 for frequency in frequencies.values())
    return _alpha(total, observed, expected) if len(frequencies) > 1 else None


def ordinal_alpha(items: NumberCounts) -> Figure:
    """Krippendorff's alpha for ordered answers, such as good, fair, poor: only their order counts.

    The ordinal distance of two answers is the distance of their mean ranks among all answers.
    """
    frequencies = count_answers(_comparable(items))
    ranks, below = {}, 0.0
    for answer in sorted(frequencies):
        ranks[answer] = below + frequencies[answer] / 2
        below += frequencies[answer]
    return _metric_alpha(items, ranks)


def interval_alpha(items: NumberCounts) -> Figure:
    """Krippendorff's alpha for numbers whose distances count, such as scores."""
    frequencies = count_answers(_comparable(items))
    # Scaled: squares of large numbers would overflow.
    low, high = (min(frequencies), max(frequencies)) if frequencies else (0.0, 0.0)
    span = (high / 2 - low / 2) or 1.0
    return _metric_alpha(items, {answer: (answer / 2 - low / 2) / span for answer in frequencies})


def cohen_kappa(pairs: NumberCounts, weights: Weights = Weights.NONE) -> Figure:
    """Cohen's kappa of two people: `pairs` holds the first one's answer and the second one's, as positions.

    Positions on the scale matter with weights only (Cohen 1968).
    """
    cost = _COSTS[weights]
    total = sum(pairs.values())
    first, second = _margin(pairs, 0), _margin(pairs, 1)
    expected = sum(cost(a, b) * first[a] * second[b] for a in first for b in second)
    observed = sum(cost(a, b) * count for (a, b), count in pairs.items())
    return 1 - total * observed / expected if expected else None


def gwet_ac1(pairs: ItemCounts, categories: int) -> Figure:
    """Gwet's AC1 of two people; holds where nearly all answers are the same and kappa collapses (Gwet 2008).

    `categories` is how many different answers the scale has, used or not.
    """
    total = sum(pairs.values())
    if not total or categories < 2:
        return None
    shares = [frequency / (2 * total) for frequency in count_answers(pairs).values()]
    by_chance = sum(share * (1 - share) for share in shares) / (categories - 1)
    observed = sum(count for (first, second), count in pairs.items() if first == second) / total
    return (observed - by_chance) / (1 - by_chance)


def count_answers(items: ItemCounts) -> dict[Any, float]:
    """How often each answer was chosen: its prevalence."""
    frequencies: dict[Any, float] = {}
    for answers, count in items.items():
        for answer in answers:
            frequencies[answer] = frequencies.get(answer, 0.0) + count
    return frequencies


def _comparable(items: ItemCounts) -> ItemCounts:
    return {answers: count for answers, count in items.items() if len(answers) > 1}


def _margin(pairs: NumberCounts, place: int) -> dict[float, float]:
    margin: dict[float, float] = {}
    for pair, count in pairs.items():
        margin[pair[place]] = margin.get(pair[place], 0.0) + count
    return margin


def _metric_alpha(items: NumberCounts, positions: Mapping[float, float]) -> Figure:
    """Alpha where two answers differ by the squared distance of their positions.

    Sums of squares stand in for sums over pairs: the work grows with the answers, not with their square.
    """
    items = _comparable(items)
    frequencies = count_answers(items)
    if len(frequencies) < 2:
        return None
    total = sum(frequencies.values())
    mean = sum(positions[answer] * frequency for answer, frequency in frequencies.items()) / total
    observed = 0.0
    for answers, count in items.items():
        distances = [positions[answer] - mean for answer in answers]
        squares = len(answers) * sum(distance**2 for distance in distances) - sum(distances) ** 2
        observed += count * 2 * squares / (len(answers) - 1)
    spread = sum(frequency * (positions[answer] - mean) ** 2 for answer, frequency in frequencies.items())
    return _alpha(total, observed, 2 * total * spread)


def _alpha(total: float, observed: float, expected: float) -> Figure:
    return 1 - (total - 1) * observed / expected if expected else None
