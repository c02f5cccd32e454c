"""Bootstrap intervals: the same for the same data, about as wide as theory says, and cheap for many equal items."""

from collections.abc import Mapping
from random import Random

import pytest

from reviewapp.quality import agreement
from reviewapp.quality.bootstrap import bootstrap


def share(items: Mapping[bool, float]) -> float | None:
    return items.get(True, 0.0) / sum(items.values())


def test_it_is_the_same_for_the_same_data() -> None:
    assert bootstrap({True: 30, False: 70}, share) == bootstrap({True: 30, False: 70}, share)


def test_it_is_as_wide_as_theory_says() -> None:
    interval = bootstrap({True: 300, False: 700}, share)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.2716, 0.3284), abs=0.003)


def test_it_contains_the_figure_of_its_data() -> None:
    random = Random(3)
    items: dict[tuple[float, ...], float] = {(a, b): random.randint(1, 9) for a in range(3) for b in range(3)}
    interval, kappa = bootstrap(items, agreement.cohen_kappa), agreement.cohen_kappa(items)
    assert interval is not None
    assert kappa is not None
    assert interval.low < kappa < interval.high


def test_it_looks_at_a_bounded_number_of_kinds() -> None:
    sizes: list[int] = []

    def count_kinds(items: Mapping[int, float]) -> float:
        sizes.append(len(items))
        return 0.0

    bootstrap(dict.fromkeys(range(20_000), 1), count_kinds)
    assert sum(sizes) < 20_000 + 250_000


def test_it_is_as_wide_for_many_kinds_as_for_few() -> None:
    many = {(number < 3_000, number): 1 for number in range(10_000)}
    interval = bootstrap(many, lambda items: sum(w for (chosen, _), w in items.items() if chosen) / sum(items.values()))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.291, 0.309), abs=0.002)


def test_it_has_no_interval_for_a_figure_without_value() -> None:
    assert bootstrap({("a", "a"): 12}, agreement.nominal_alpha) is None
    assert bootstrap({}, lambda _: None) is None
