"""Named places where a process can be made to die, freeze, fail or dawdle, so that a test can prove what holds then.

`FAILPOINTS="submit.before_commit=kill@3;push.sent=freeze"` is read once, as the process starts; without it nothing
here does anything. No request can set one off.
"""

import os
import random
import re
import signal
import time
from dataclasses import dataclass

_POINT = re.compile(r"([a-z_.]+)=(kill|freeze|error|sleep:[0-9.]+)(?:@([0-9]+)|@p([0-9.]+))?")


class FailpointError(Exception):
    """A failpoint told this process to fail here."""


@dataclass(slots=True)
class Failpoint:
    """What to do at a place: at each passing, at the `nth` one only, or with a `chance` from 0 to 1."""

    act: str
    nth: int | None = None
    chance: float = 1.0
    passed: int = 0

    def pass_by(self) -> None:
        self.passed += 1
        if self.nth not in (None, self.passed) or random.random() >= self.chance:  # noqa: S311 - guards nothing
            return
        if self.act == "error":
            raise FailpointError("A failpoint told this process to fail.")
        if self.act.startswith("sleep:"):
            time.sleep(float(self.act.removeprefix("sleep:")))
        else:
            os.kill(os.getpid(), signal.SIGKILL if self.act == "kill" else signal.SIGSTOP)


def parse(text: str) -> dict[str, Failpoint]:
    """The points that a text like the one above names. Raises ValueError for any other text."""
    points: dict[str, Failpoint] = {}
    for part in filter(None, text.split(";")):
        found = _POINT.fullmatch(part.strip())
        if found is None:
            raise ValueError(
                f"“{part}” is no failpoint. Give place=kill, freeze, error or sleep:SECONDS, and @N or @pN."
            )
        name, act, nth, chance = found.groups()
        points[name] = Failpoint(act, int(nth) if nth else None, float(chance) if chance else 1.0)
    return points


ACTIVE = parse(os.environ.get("FAILPOINTS", ""))


def hit(name: str) -> None:
    """Do what is set for this place, which is nothing outside a test of faults."""
    if ACTIVE and name in ACTIVE:
        ACTIVE[name].pass_by()
