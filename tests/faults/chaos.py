"""Kill web and workers again and again under load, at a Laminar that misbehaves; then let everything be well."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import OperationalError

from tests.faults.database_state import expire_leases, is_settled, make_all_due, unblock_patches
from tests.faults.processes import FakeLaminar, Web, Workers, wait_until
from tests.faults.server_faults import make_fault_rules

# Each worker dies at one of these, the N-th time it comes there; one in four by a signal from outside.
POINTS = "push.before_send push.sent push.marking push.marked read.before_mark".split()
WEB_FAILPOINTS = "submit.between_rows=kill@p0.007;submit.before_commit=kill@p0.007;submit.committed=kill@p0.007"
# A worker gets so many seconds to come to its point.
ROUND = 0.5


@dataclass(slots=True)
class Chaos:
    """A run: its parts, and how many workers there are at once."""

    sink: FakeLaminar
    workers: Workers
    web: Web
    at_once: int
    # Between two uses of a fault, so many requests that are well answered.
    every: int = 2
    rounds: int = 0
    freezes: int = 0
    faults: set[str] = field(default_factory=set)

    @property
    def kills(self) -> int:
        return self.workers.killed + self.web.killed

    def until_killed(self, kills: int) -> None:
        """Kill until there were so many kills, the time between two of a row's tries passing at once."""
        while self.kills < kills or not self.is_through:
            self.rounds += 1
            self.misbehave()
            for _ in range(self.at_once):
                self.workers.start(random_failpoint())
            time.sleep(ROUND)
            self.hit_web()
            self.workers.kill()
            for act in (expire_leases, make_all_due, unblock_patches):
                retry_when_locked(act)

    @property
    def is_through(self) -> bool:
        """Whether the sink has misbehaved in every way at least once."""
        return {rule["name"] for rule in make_fault_rules()} <= self.faults

    def misbehave(self) -> None:
        """Give the sink what it has not done yet; all of it anew once that was done."""
        self.faults |= {line["fault"] for line in self.sink.log() if line["what"] == "asked"}
        left = [rule for rule in make_fault_rules(self.every) if rule["name"] not in self.faults]
        chosen = left or make_fault_rules(self.every * 5)
        random.shuffle(chosen)
        self.sink.set_rules(*chosen)

    def hit_web(self) -> None:
        """Kill one process of the web app at this moment, or freeze it a little; each fourth time all of it."""
        if self.rounds % 4 == 0:
            self.web.kill_all()
            self.web.start()
        elif self.web.workers:
            pid = random.choice(self.web.workers)
            if self.rounds % 4 == 2:
                self.freezes += 1
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.1)
                os.kill(pid, signal.SIGCONT)
            else:
                os.kill(pid, signal.SIGKILL)

    def wait_until_settled(self, seconds: float = 30) -> None:
        """Everything is healthy again, and a person looks after what waits for one: until every patch has its end."""
        # One more thing goes wrong, with what was said last: no later save will set it right.
        self.sink.set_rules({"name": "not applied", "on": "metadata", "times": 5, "apply": "never"}, keys=None)
        for _ in range(self.at_once):
            self.workers.start()

        def settled() -> bool:
            retry_when_locked(unblock_patches)
            retry_when_locked(make_all_due)
            return is_settled()

        wait_until(settled, seconds, every=0.25)


def random_failpoint() -> str:
    """A failpoint to die at, or none: then a signal comes from outside."""
    return "" if random.random() < 0.25 else f"{random.choice(POINTS)}=kill@{random.randint(1, 12)}"


def retry_when_locked(act: Callable[[], object]) -> None:
    """Do something in the database of a run, also when the workers hold it just now."""
    for _ in range(5):
        try:
            act()
            return
        except OperationalError:
            time.sleep(0.2)
    act()
