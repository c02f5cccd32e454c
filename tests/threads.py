"""Run functions at the same time, each on a thread with its own database connection."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def run_concurrently(actions: Sequence[Callable[[], T]]) -> list[T]:
    """Start all at the same moment and return their results in order. The test needs `transaction=True`."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T:
        try:
            start.wait(timeout=60)
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))
