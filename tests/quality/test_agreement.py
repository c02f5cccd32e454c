"""Agreement figures against published examples and against their definitions."""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations, product
from math import isclose
from random import Random

import pytest

from reviewapp.quality import agreement
from reviewapp.quality.agreement import Weights

Items = Mapping[tuple[float, ...], float]
Alpha = Callable[[Items], float | None]
Distance = Callable[[float, float, Counter[float]], float]

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability": a row for each observer, "." for a missing answer.
FOUR_OBSERVERS = [
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
]
THREE_OBSERVERS = [
    ". . . . . 3 4 1 2 1 1 3 3 . 3",
    "1 . 2 1 3 3 4 3 . . . . . . .",
    ". . 2 1 3 4 4 . 2 1 1 3 3 . 4",
]


def count_items(rows: list[str]) -> Counter[tuple[float, ...]]:
    columns = zip(*(row.split() for row in rows), strict=True)
    return Counter(tuple(float(answer) for answer in column if answer != ".") for column in columns)


def count_pairs(table: list[list[int]]) -> Counter[tuple[float, ...]]:
    return Counter({(float(a), float(b)): count for a, row in enumerate(table) for b, count in enumerate(row) if count})


@pytest.mark.parametrize(
    ("figure", "rows", "expected"),
    [
        (agreement.nominal_alpha, FOUR_OBSERVERS, 113 / 152),
        (agreement.ordinal_alpha, FOUR_OBSERVERS, 0.8153875037548814),
        (agreement.interval_alpha, FOUR_OBSERVERS, 951 / 1120),
        (agreement.nominal_alpha, THREE_OBSERVERS, 56 / 81),
        (agreement.interval_alpha, THREE_OBSERVERS, 643 / 793),
    ],
)
def test_it_computes_the_published_alpha(figure: Alpha, rows: list[str], expected: float) -> None:
    assert figure(count_items(rows)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("table", "weights", "expected"),
    [
        ([[20, 5], [10, 15]], Weights.NONE, 0.4),
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], Weights.NONE, 0.48416290),
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], Weights.LINEAR, 0.47011952),
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], Weights.QUADRATIC, 0.45016077),
    ],
)
def test_it_computes_the_published_kappa(table: list[list[int]], weights: Weights, expected: float) -> None:
    assert agreement.cohen_kappa(count_pairs(table), weights) == pytest.approx(expected, abs=1e-8)


def test_it_computes_the_published_ac1() -> None:
    assert agreement.gwet_ac1(count_pairs([[20, 5], [10, 15]]), 2) == pytest.approx(0.40594059, abs=1e-8)


def test_it_stays_high_in_ac1_where_kappa_collapses() -> None:
    pairs = count_pairs([[118, 5], [2, 0]])
    kappa, ac1 = agreement.cohen_kappa(pairs), agreement.gwet_ac1(pairs, 2)
    assert kappa is not None
    assert ac1 is not None
    assert kappa < 0 < 0.9 < ac1


def test_it_counts_equal_pairs() -> None:
    assert agreement.raw_agreement({("a", "a", "b"): 2, ("a", "a"): 1, ("b",): 9}) == 3 / 7


@pytest.mark.parametrize("figure", [agreement.nominal_alpha, agreement.ordinal_alpha, agreement.interval_alpha])
@pytest.mark.parametrize("items", [{}, {(1.0,): 5}, {(): 3}, {(1.0, 1.0): 8, (2.0,): 4}])
def test_it_has_no_alpha_without_variation_or_pairs(figure: Alpha, items: Items) -> None:
    assert figure(items) is None


def test_it_has_no_kappa_without_variation() -> None:
    assert agreement.cohen_kappa({(1.0, 1.0): 8}) is None
    assert agreement.cohen_kappa({}) is None
    assert agreement.gwet_ac1({}, 2) is None
    assert agreement.raw_agreement({("a",): 3}) is None


def test_it_does_not_overflow_with_large_scores() -> None:
    assert agreement.interval_alpha({(1e308, 1e308): 2, (-1e308, -1e308): 2}) == 1


def test_it_weighs_items_as_if_they_were_repeated() -> None:
    once = count_items(FOUR_OBSERVERS)
    thrice = {answers: count * 3 for answers, count in once.items()}
    repeated = count_items([" ".join([row] * 3) for row in FOUR_OBSERVERS])
    assert agreement.interval_alpha(thrice) == agreement.interval_alpha(repeated)


@pytest.mark.parametrize("seed", range(20))
def test_it_equals_the_definition_over_all_pairs(seed: int) -> None:
    random = Random(seed)
    items = Counter(tuple(float(random.randint(1, 4)) for _ in range(random.randint(0, 4))) for _ in range(25))
    for figure, distance in (
        (agreement.nominal_alpha, lambda a, b, _: float(a != b)),
        (agreement.interval_alpha, lambda a, b, _: (a - b) ** 2),
        (agreement.ordinal_alpha, ordinal_distance),
    ):
        expected, value = alpha_by_pairs(items, distance), figure(items)
        assert value is not None
        assert isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9)


def ordinal_distance(first: float, second: float, frequencies: Counter[float]) -> float:
    low, high = sorted((first, second))
    between = sum(count for answer, count in frequencies.items() if low <= answer <= high)
    return (between - (frequencies[low] + frequencies[high]) / 2) ** 2


def alpha_by_pairs(items: Items, distance: Distance) -> float:
    compared = {answers: count for answers, count in items.items() if len(answers) > 1}
    frequencies: Counter[float] = Counter(agreement.count_answers(compared))
    observed = 0.0
    for answers, count in items.items():
        for a, b in combinations(answers, 2):
            observed += 2 * count * distance(a, b, frequencies) / (len(answers) - 1)
    expected = sum(
        frequencies[a] * frequencies[b] * distance(a, b, frequencies) for a, b in product(frequencies, frequencies)
    )
    total = sum(frequencies.values())
    return 1 - (total - 1) * observed / expected
