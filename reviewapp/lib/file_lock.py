"""Locks between the processes of one machine, each on an empty file of its own. A lock ends with its process."""

import fcntl
import os
from pathlib import Path


def acquire(path: Path, *, is_shared: bool = False) -> int | None:
    """Lock without waiting. Returns a handle for `release`, or None if another process has the lock.

    Any number of processes can have a shared lock, and none of them while one has an exclusive one.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def release(handle: int) -> None:
    os.close(handle)
