"""Hash passwords on one thread of low priority per process, so that guessing leaves the processor to the pages."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from django.contrib.auth.hashers import PBKDF2PasswordHasher

NICENESS = 10
# Of the threads of a process: one whose password is hashed, and one that waits for it.
PLACES = 2


class BusyError(Exception):
    """Others are signing in, as many as may at once."""


class LowPriorityHasher(PBKDF2PasswordHasher):
    """Django's default hash, which leaves Python's lock free while it is computed."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        return _get_pool(os.getpid()).submit(super().encode, password, salt, iterations).result()


@cache
def _get_pool(pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "hashing", initializer=_lower_priority)


def _lower_priority() -> None:
    # On Linux a thread has a priority of its own; elsewhere this would be the whole process's.
    if os.uname().sysname == "Linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


_places = {is_known: threading.BoundedSemaphore(PLACES) for is_known in (True, False)}


@contextmanager
def take_place(*, is_known: bool) -> Iterator[None]:
    """Let few sign-ins at a time wait for their hash; those of known devices are counted apart. Raises BusyError."""
    if not _places[is_known].acquire(blocking=False):
        raise BusyError
    try:
        yield
    finally:
        _places[is_known].release()
