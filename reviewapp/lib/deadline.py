"""When the current work must be done: a request, a probe, a worker that stops. Waits for the database end by then.

Times are monotonic. Work without a limit, such as a command, waits as long as it takes.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


class _Process:
    """What holds for every thread of this process."""

    ends_at = math.inf
    has_statement_limits = False


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """End every wait in the block within `seconds`, or earlier if a block around it ends earlier."""
    token = _ends_at.set(min(_ends_at.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _ends_at.reset(token)


def remaining(seconds: float = math.inf) -> float:
    """How many of `seconds` a wait may take that begins now; 0 if the deadline is over."""
    return max(0.0, min(seconds, min(_ends_at.get(), _Process.ends_at) - time.monotonic()))


def end_all_waits() -> None:
    """End every wait in this process, also those that begin later: it is about to exit."""
    _Process.ends_at = time.monotonic()


def limit_statements() -> None:
    """Limit each statement from now on, as the web app and the worker do. A migration takes as long as it takes."""
    _Process.has_statement_limits = True


def has_statement_limits() -> bool:
    """Whether `limit_statements` was called."""
    return _Process.has_statement_limits
