"""Named points in the code where a test can kill, freeze, fail or delay the process.

`FAILPOINTS="submit.before_commit=kill@3;push.sent=freeze"` is read once, when the process starts. Without it this
module does nothing, and no request can activate a failpoint.
"""

import os
import random
import re
import signal
import time
from dataclasses import dataclass

_POINT = re.compile(r"([a-z_.]+)=(kill|freeze|error|sleep:[0-9.]+)(?:@([0-9]+)|@p([0-9.]+))?")


class FailpointError(Exception):
    """Raised by a failpoint with the action `error`."""


@dataclass(slots=True)
class Failpoint:
    """The action at a failpoint: at every hit, at the `nth` only, or with a `chance` from 0 to 1."""

    action: str
    nth: int | None = None
    chance: float = 1.0
    hits: int = 0

    def trigger(self) -> None:
        self.hits += 1
        if self.nth not in (None, self.hits) or random.random() >= self.chance:  # noqa: S311 - guards nothing
            return
        if self.action == "error":
            raise FailpointError("A failpoint made this process fail.")
        if self.action.startswith("sleep:"):
            time.sleep(float(self.action.removeprefix("sleep:")))
        else:
            os.kill(os.getpid(), signal.SIGKILL if self.action == "kill" else signal.SIGSTOP)


def parse(text: str) -> dict[str, Failpoint]:
    """Parse the value of FAILPOINTS. Raises ValueError if it is malformed."""
    points: dict[str, Failpoint] = {}
    for part in filter(None, text.split(";")):
        match = _POINT.fullmatch(part.strip())
        if match is None:
            raise ValueError(
                f"“{part}” is not a failpoint. Use NAME=kill, freeze, error or sleep:SECONDS, with optional @N or @pN."
            )
        name, action, nth, chance = match.groups()
        points[name] = Failpoint(action, int(nth) if nth else None, float(chance) if chance else 1.0)
    return points


ACTIVE = parse(os.environ.get("FAILPOINTS", ""))


def hit(name: str) -> None:
    """Run the action that is set for this failpoint; nothing outside fault tests."""
    if ACTIVE and name in ACTIVE:
        ACTIVE[name].trigger()
