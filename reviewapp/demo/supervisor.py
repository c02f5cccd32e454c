"""Keeps the demo's processes: waits for Ctrl-C, then stops all of them; if one dies, says so and stops the rest.

Standard library only and run with `-S`: it costs a few megabytes for as long as the demo runs.
"""

import json
import os
import signal
import sys
import time
from types import FrameType

PATIENCE = 25.0


class Told(Exception):
    """A signal asked for the end."""


def keep(children: dict[str, int]) -> int:
    """Wait for the end of the demo; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _tell)
    status = 0
    try:
        pid, _ = os.wait()
        name = next((name for name, known in children.items() if known == pid), str(pid))
        children.pop(name, None)
        _say(f"The {name} has ended unexpectedly. Stopping the others; nothing that was saved is lost.")
        status = 1
    except Told:
        _say("Stopping …")
    _stop(list(children.values()))
    return status


def _tell(number: int, frame: FrameType | None) -> None:
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    raise Told


def _say(sentence: str) -> None:
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except OSError:
        # Whoever read it has gone, with the terminal or the pipe; the processes are stopped all the same.
        pass


def _stop(pids: list[int]) -> None:
    for pid in pids:
        _send(pid, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    left = set(pids)
    while left and time.monotonic() < until:
        left = {pid for pid in left if not _ended(pid)}
        time.sleep(0.05)
    for pid in left:
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


if __name__ == "__main__":
    sys.exit(keep(json.loads(sys.argv[1])))
