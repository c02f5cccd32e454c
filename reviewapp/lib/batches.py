"""Values in batches: one statement takes a bounded number of them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

V = TypeVar("V")


def batched(values: Sequence[V], size: int = 500) -> Iterator[Sequence[V]]:
    """Yield the values in order, at most `size` at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))
