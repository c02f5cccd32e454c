"""Rates and their intervals against published figures, and against samples of a known population."""

from random import Random

import pytest

from reviewapp.quality import rates
from reviewapp.quality.bootstrap import Interval
from reviewapp.quality.rates import SampledItem


def sample(failures: int, others: int, probability: float = 1.0) -> list[SampledItem]:
    return [SampledItem(True, probability)] * failures + [SampledItem(False, probability)] * others


def test_it_computes_the_published_wilson_interval() -> None:
    interval = rates.wilson_interval(81 / 263, 263)
    assert (interval.low, interval.high) == pytest.approx((0.2552885, 0.3662096), abs=1e-7)


def test_it_knows_nothing_without_items() -> None:
    assert rates.wilson_interval(0, 0) == Interval(0, 1)
    assert rates.estimate_rate([]) is None


def test_it_equals_the_plain_share_where_all_had_the_same_chance() -> None:
    rate = rates.estimate_rate(sample(81, 182, 0.25))
    assert rate is not None
    assert (rate.share, rate.interval.low) == pytest.approx((81 / 263, 0.2552885), abs=1e-7)


def test_it_lets_a_rarely_sampled_item_stand_for_many() -> None:
    rate = rates.estimate_rate(sample(50, 50, 1.0) + sample(1, 9, 0.01))
    assert rate is not None
    assert rate.share == pytest.approx((50 + 100) / (100 + 1000))
    assert rate.effective_count < 20


@pytest.mark.parametrize("failures", [0, 40])
def test_it_is_not_certain_where_all_answers_are_the_same(failures: int) -> None:
    rate = rates.estimate_rate(sample(failures, 40 - failures, 0.5))
    assert rate is not None
    assert rate.interval.high - rate.interval.low == pytest.approx(0.0876, abs=1e-4)


def test_it_covers_the_true_rate_of_a_stratified_population() -> None:
    random = Random(1)
    population = [(random.random() < 0.4, 1.0) for _ in range(300)]
    population += [(random.random() < 0.05, 0.1) for _ in range(6_000)]
    truth = sum(failed for failed, _ in population) / len(population)
    covered = 0
    for _ in range(200):
        chosen = [SampledItem(failed, chance) for failed, chance in population if random.random() < chance]
        rate = rates.estimate_rate(chosen)
        assert rate is not None
        covered += rate.interval.low <= truth <= rate.interval.high
    assert covered >= 180


def test_it_says_how_many_more_reviews_narrow_the_interval() -> None:
    rate = rates.estimate_rate(sample(30, 70))
    assert rate is not None
    further = rates.count_further_reviews(rate, 100, 0.05)
    interval = rates.wilson_interval(0.3, 100 + further)
    assert (interval.high - interval.low) / 2 == pytest.approx(0.05, abs=2e-4)
    assert rates.count_further_reviews(rate, 100, 0.2) == 0


def test_it_refuses_an_interval_without_width() -> None:
    rate = rates.estimate_rate(sample(1, 1))
    assert rate is not None
    with pytest.raises(ValueError, match="above 0"):
        rates.count_further_reviews(rate, 2, 0)


@pytest.mark.parametrize(
    ("observed", "sensitivity", "specificity", "expected"),
    [
        (0.80, 0.92, 0.88, 0.85),
        (0.05, 0.9, 0.9, 0.0),
        (0.99, 0.9, 0.9, 1.0),
        (0.5, 0.5, 0.5, None),
        (0.5, 0.2, 0.3, None),
    ],
)
def test_it_corrects_a_rate_for_the_errors_of_a_judge(
    observed: float, sensitivity: float, specificity: float, expected: float | None
) -> None:
    rate = rates.correct_rate(observed, sensitivity, specificity)
    assert rate == (None if expected is None else pytest.approx(expected))
