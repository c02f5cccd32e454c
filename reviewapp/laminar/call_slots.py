"""How many threads of this process may wait for Laminar at once.

The web server answers what asks Laminar with threads of their own, one more than slots (`lib.http_server.limits`): a
call that gets no slot fails at once, so that of fifty pages that ask a Laminar that never answers each gets an answer.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import BoundedSemaphore

from reviewapp.laminar.errors import Busy

# Threads of the web app's processes, read by gunicorn.conf.py too. There is a slot for each four of them.
WEB_THREADS = max(4, int(os.environ.get("WEB_THREADS", "4")))
SLOTS = WEB_THREADS // 4
BUSY = "Others are waiting for Laminar right now, so it was not asked. Nothing was changed. Try again in a few seconds."

_slots = BoundedSemaphore(SLOTS)
_has_slot: ContextVar[bool] = ContextVar("has_slot", default=False)


@contextmanager
def take_slot() -> Iterator[None]:
    """Hold a slot for the calls in the block; a block within another shares its slot. Raises Busy."""
    if _has_slot.get():
        yield
        return
    if not _slots.acquire(blocking=False):
        raise Busy(BUSY)
    token = _has_slot.set(True)
    try:
        yield
    finally:
        _has_slot.reset(token)
        _slots.release()
