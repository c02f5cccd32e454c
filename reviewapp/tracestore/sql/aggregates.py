"""ClickHouse aggregates that SQLite lacks."""

import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from reviewapp.tracestore import arrays


class Aggregate(Protocol):
    """The interface that sqlite3 expects of an aggregate."""

    def step(self, *values: Any) -> None:
        """Add a row."""

    def finalize(self) -> Any:
        """Return the result."""


class _ArgMax:
    """The value of the first argument in the row with the largest second argument."""

    def __init__(self) -> None:
        self._best: tuple[Any, Any] | None = None

    def step(self, value: Any, key: Any) -> None:
        if key is not None and (self._best is None or self._is_better(key, self._best[1])):
            self._best = (value, key)

    def finalize(self) -> Any:
        return self._best[0] if self._best else None

    def _is_better(self, key: Any, best: Any) -> bool:
        return bool(key > best)


class _ArgMin(_ArgMax):
    """The value of the first argument in the row with the smallest second argument."""

    def _is_better(self, key: Any, best: Any) -> bool:
        return bool(key < best)


class _Quantile:
    """A quantile, interpolated as ClickHouse does."""

    def __init__(self) -> None:
        self._level: Any = 0.5
        self._values: list[float] = []

    def step(self, value: Any, level: Any) -> None:
        self._level = level
        if isinstance(value, (int, float)):
            self._values.append(value)

    def finalize(self) -> Any:
        return self._pick(sorted(self._values), self._level) if self._values else None

    def _pick(self, values: list[float], level: float) -> float:
        rank = min(max(level, 0.0), 1.0) * (len(values) - 1)
        low = int(rank)
        high = min(low + 1, len(values) - 1)
        return values[low] + (values[high] - values[low]) * (rank - low)


class _QuantileExact(_Quantile):
    """A quantile that is one of the values."""

    def _pick(self, values: list[float], level: float) -> float:
        return values[min(int(min(max(level, 0.0), 1.0) * len(values)), len(values) - 1)]


class _Quantiles(_Quantile):
    """Several quantiles; the levels are a JSON array."""

    def finalize(self) -> bytes:
        values = sorted(self._values)
        levels = json.loads(self._level) if isinstance(self._level, (str, bytes)) else []
        return arrays.pack(self._pick(values, level) if values else None for level in levels)


class _QuantilesExact(_Quantiles, _QuantileExact):
    """Several quantiles, each one of the values."""


class _TopK:
    """The most frequent values, most frequent first."""

    def __init__(self) -> None:
        self._limit = 10
        self._counts = Counter[Any]()

    def step(self, value: Any, limit: Any) -> None:
        self._limit = int(limit)
        if value is not None:
            self._counts[value] += 1

    def finalize(self) -> bytes:
        return arrays.pack(value for value, _ in self._counts.most_common(self._limit))


class _Deviation:
    """The variance, or its square root; of a sample or of everything."""

    is_sample, is_root = False, False

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def step(self, value: Any) -> None:
        if isinstance(value, (int, float)):
            self._count += 1
            difference = value - self._mean
            self._mean += difference / self._count
            self._squares += difference * (value - self._mean)

    def finalize(self) -> float | None:
        count = self._count - self.is_sample
        if count <= 0:
            return None
        return math.sqrt(self._squares / count) if self.is_root else self._squares / count


def _make_deviation(*, is_sample: bool, is_root: bool) -> type[_Deviation]:
    return type("_Deviation", (_Deviation,), {"is_sample": is_sample, "is_root": is_root})


AGGREGATES: dict[str, tuple[Callable[[], Aggregate], int]] = {
    "argMax": (_ArgMax, 2),
    "argMin": (_ArgMin, 2),
    "quantile": (_Quantile, 2),
    "quantileExact": (_QuantileExact, 2),
    "quantiles": (_Quantiles, 2),
    "quantilesExact": (_QuantilesExact, 2),
    "topK": (_TopK, 2),
    "varPop": (_make_deviation(is_sample=False, is_root=False), 1),
    "varSamp": (_make_deviation(is_sample=True, is_root=False), 1),
    "stddevPop": (_make_deviation(is_sample=False, is_root=True), 1),
    "stddevSamp": (_make_deviation(is_sample=True, is_root=True), 1),
}
_BASES = (
    "count sum avg min max any anyLast uniq uniqExact uniqCombined uniqHLL12 median argMax argMin groupArray"
    " groupUniqArray quantile quantileExact quantiles quantilesExact topK varPop varSamp stddevPop stddevSamp"
).split()
# All aggregates that a query can call, in lower case; each may end with `If` and have a condition.
NAMES = frozenset(f"{name}{suffix}".lower() for name in _BASES for suffix in ("", "If"))
CONDITIONAL = {f"{name}If": name for name in _BASES}
