"""Supervise the demo's processes: on Ctrl-C stop them all; if one dies, report it and stop the others.

Uses only the standard library and runs with `-S`, so it costs a few megabytes while the demo runs.
"""

import json
import os
import signal
import sys
import time
from types import FrameType

STOP_TIMEOUT = 25.0  # seconds
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(Exception):
    """A signal requested the stop."""


def supervise(children: dict[str, int]) -> int:
    """Wait for a stop signal or a child to end, then stop all `children` (pids by name). Returns the exit status."""
    for number in STOP_SIGNALS:
        signal.signal(number, _request_stop)
    status = 0
    try:
        pid, _ = os.wait()
        name = next((name for name, child_pid in children.items() if child_pid == pid), str(pid))
        children.pop(name, None)
        _print_error(f"The {name} ended unexpectedly. Stopping the other processes. Saved data is safe.")
        status = 1
    except StopRequestedError:
        _print_error("Stopping …")
    _stop(list(children.values()))
    return status


def _request_stop(number: int, frame: FrameType | None) -> None:
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    raise StopRequestedError


def _print_error(sentence: str) -> None:
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except OSError:
        # The terminal or pipe is closed; stop the processes anyway.
        pass


def _stop(pids: list[int]) -> None:
    for pid in pids:
        _send_signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    running = set(pids)
    while running and time.monotonic() < deadline:
        running = {pid for pid in running if not _has_ended(pid)}
        time.sleep(0.05)
    for pid in running:
        _send_signal(pid, signal.SIGKILL)


def _send_signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


if __name__ == "__main__":
    sys.exit(supervise(json.loads(sys.argv[1])))
