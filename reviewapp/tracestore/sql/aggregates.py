"""ClickHouse aggregates that SQLite lacks."""

from collections.abc import Callable
from typing import Any, Protocol


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
        self._level = 0.5
        self._values: list[float] = []

    def step(self, value: Any, level: float) -> None:
        self._level = level
        if isinstance(value, (int, float)):
            self._values.append(value)

    def finalize(self) -> float | None:
        values = sorted(self._values)
        if not values:
            return None
        rank = min(max(self._level, 0.0), 1.0) * (len(values) - 1)
        low = int(rank)
        high = min(low + 1, len(values) - 1)
        return values[low] + (values[high] - values[low]) * (rank - low)


AGGREGATES: dict[str, tuple[Callable[[], Aggregate], int]] = {
    "argMax": (_ArgMax, 2),
    "argMin": (_ArgMin, 2),
    "quantile": (_Quantile, 2),
}
