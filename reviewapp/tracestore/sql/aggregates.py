"""Aggregates that SQLite lacks."""

from collections.abc import Callable
from typing import Any, Protocol


class Aggregate(Protocol):
    """What sqlite3 wants of an aggregate."""

    def step(self, *values: Any) -> None:
        """Take one row."""

    def finalize(self) -> Any:
        """Answer."""


class _ArgMax:
    """The first argument where the second is greatest."""

    def __init__(self) -> None:
        self._best: tuple[Any, Any] | None = None

    def step(self, value: Any, by: Any) -> None:
        if by is not None and (self._best is None or self._is_better(by, self._best[1])):
            self._best = (value, by)

    def finalize(self) -> Any:
        return self._best[0] if self._best else None

    def _is_better(self, by: Any, best: Any) -> bool:
        return bool(by > best)


class _ArgMin(_ArgMax):
    """The first argument where the second is least."""

    def _is_better(self, by: Any, best: Any) -> bool:
        return bool(by < best)


class _Quantile:
    """The value below which a share of all lies, interpolated as ClickHouse does it."""

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
        place = min(max(self._level, 0.0), 1.0) * (len(values) - 1)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (values[high] - values[low]) * (place - low)


AGGREGATES: dict[str, tuple[Callable[[], Aggregate], int]] = {
    "argMax": (_ArgMax, 2),
    "argMin": (_ArgMin, 2),
    "quantile": (_Quantile, 2),
}
