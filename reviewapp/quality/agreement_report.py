"""The figures of a queue's agreement page, each with what it means."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from reviewapp.quality import agreement
from reviewapp.quality.agreement import Weights
from reviewapp.quality.answer_table import AnswerTable, count_rows
from reviewapp.quality.bootstrap import Interval, bootstrap

# With fewer shared items, figures are noise and are not shown.
MIN_ITEMS = 10
MAX_PAIRS = 10
# Of a pair with more combinations of answers than this, kappa and AC1 have no interval: the page would take too long.
_MAX_INTERVAL_KINDS = 25
Items = Mapping[Any, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; `value` is None if it says nothing."""

    value: float | None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class QuestionReport:
    """How well everyone agrees about one question. The figures are None below MIN_ITEMS shared items."""

    table: AnswerTable
    item_count: int
    differing_count: int
    most_frequent: str
    # The share of the most frequent answer.
    prevalence: float
    raw: Figure | None
    alpha: Figure | None

    @property
    def has_variation(self) -> bool:
        return self.prevalence < 1

    @property
    def advice(self) -> str:
        """What the figures mean and what to do, as a sentence."""
        if self.raw is None:
            return f"Too few shared items: figures are shown from {MIN_ITEMS} on."
        if not self.has_variation or self.alpha is None or self.alpha.value is None:
            return "No variation: everyone always gave the same answer, so chance cannot be told from agreement."
        if self.alpha.value >= 0.8:
            return "Reviewers agree well: the answers can be relied on."
        if self.alpha.value >= 0.667:
            return "Reviewers agree fairly: draw tentative conclusions, and look at the differing items."
        if self.prevalence >= 0.9 and (self.raw.value or 0) >= 0.9:
            return "Nearly all answers are the same, which makes alpha unstable: look at the differing items."
        return "Reviewers agree little: discuss the differing items and make the guideline clearer."


@dataclass(frozen=True, slots=True)
class PairReport:
    """How well two people agree about one question; figures are None below MIN_ITEMS shared items."""

    pair: tuple[int, int]
    item_count: int
    differing_count: int
    raw: Figure | None
    kappa: Figure | None
    ac1: Figure | None


def report_question(table: AnswerTable) -> QuestionReport:
    """Compute the figures for everyone together."""
    counts = count_rows(table.select_shared())
    frequencies = agreement.count_answers(counts)
    total = sum(frequencies.values())
    most_frequent = max(frequencies, key=lambda answer: frequencies[answer]) if frequencies else ""
    item_count = sum(counts.values())
    is_enough = item_count >= MIN_ITEMS
    alpha = agreement.interval_alpha if table.is_numeric else agreement.nominal_alpha
    return QuestionReport(
        table, item_count, _count_differing(counts), _format(most_frequent),
        frequencies[most_frequent] / total if total else 0.0,
        raw=_measure_raw(counts) if is_enough else None,
        alpha=_measure(counts, alpha) if is_enough else None,
    )  # fmt: skip


def report_pairs(table: AnswerTable) -> list[PairReport]:
    """Compute the figures of the MAX_PAIRS pairs of people with the most shared items."""
    shared: Counter[tuple[int, int]] = Counter()
    for answers in table.rows.values():
        shared.update(combinations(sorted(answers), 2))
    return [_report_pair(table, pair) for pair, _ in shared.most_common(MAX_PAIRS)]


def _report_pair(table: AnswerTable, pair: tuple[int, int]) -> PairReport:
    counts = count_rows(table.select_shared(pair))
    item_count = sum(counts.values())
    if item_count < MIN_ITEMS:
        return PairReport(pair, item_count, _count_differing(counts), None, None, None)
    weights = Weights.QUADRATIC if table.is_numeric else Weights.NONE
    categories = table.categories or len(agreement.count_answers(counts))
    has_interval = len(counts) <= _MAX_INTERVAL_KINDS
    figures: list[Callable[[Items], float | None]] = [
        lambda items: agreement.cohen_kappa(items, weights),
        lambda items: agreement.gwet_ac1(items, categories),
    ]
    kappa, ac1 = (_measure(counts, figure) if has_interval else Figure(figure(counts)) for figure in figures)
    return PairReport(pair, item_count, _count_differing(counts), _measure_raw(counts), kappa, ac1)


def _measure(counts: Items, figure: Callable[[Items], float | None]) -> Figure:
    value = figure(counts)
    return Figure(value, None if value is None else bootstrap(counts, figure))


def _measure_raw(counts: Items) -> Figure:
    """Raw agreement: of an item, only its number of pairs and of equal pairs count, so that few kinds remain."""
    kinds: Counter[tuple[int, int]] = Counter()
    for answers, count in counts.items():
        equal_pairs = [first == second for first, second in combinations(answers, 2)]
        kinds[len(equal_pairs), sum(equal_pairs)] += round(count)
    return _measure(kinds, _share_equal)


def _share_equal(kinds: Items) -> float | None:
    total = sum(pairs * count for (pairs, _), count in kinds.items())
    return sum(equal * count for (_, equal), count in kinds.items()) / total if total else None


def _count_differing(counts: Mapping[tuple[Any, ...], int]) -> int:
    return sum(count for answers, count in counts.items() if len(set(answers)) > 1)


def _format(answer: object) -> str:
    return f"{answer:g}" if isinstance(answer, float) else str(answer)
