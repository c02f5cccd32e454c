"""Kill web and worker processes repeatedly under load while Laminar misbehaves, then let everything recover."""

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

# Each worker is killed at a random hit of one of these; one worker in four is killed by a signal from outside.
WORKER_FAILPOINTS = "push.before_send push.sent push.marking push.marked read.before_mark".split()
WEB_FAILPOINTS = "submit.between_rows=kill@p0.007;submit.before_commit=kill@p0.007;submit.committed=kill@p0.007"
# Seconds for a worker to reach its failpoint.
ROUND_SECONDS = 0.5


@dataclass(slots=True)
class Chaos:
    """A run: its processes, and the number of workers that run at the same time."""

    fake_laminar: FakeLaminar
    workers: Workers
    web: Web
    worker_count: int
    # Each fault applies to every N-th request only; the requests between are answered normally.
    fault_every: int = 2
    rounds: int = 0
    faults: set[str] = field(default_factory=set)

    @property
    def kills(self) -> int:
        return self.workers.killed + self.web.killed

    def run_until_killed(self, kills: int) -> None:
        """Kill until the count is reached and every fault has happened; waits between retries are skipped."""
        while self.kills < kills or not self.has_used_all_faults:
            self.rounds += 1
            self.set_next_faults()
            for _ in range(self.worker_count):
                self.workers.start(random_failpoint())
            time.sleep(ROUND_SECONDS)
            self.disrupt_web()
            self.workers.kill()
            for action in (expire_leases, make_all_due, unblock_patches):
                retry_when_locked(action)

    @property
    def has_used_all_faults(self) -> bool:
        """Whether every fault has happened at least once."""
        return {rule["name"] for rule in make_fault_rules()} <= self.faults

    def set_next_faults(self) -> None:
        """Set rules for the faults that have not happened yet; once all have, for all of them at a lower rate."""
        self.faults |= {line["fault"] for line in self.fake_laminar.log() if line["event"] == "request"}
        unused = [rule for rule in make_fault_rules(self.fault_every) if rule["name"] not in self.faults]
        rules = unused or make_fault_rules(self.fault_every * 5)
        random.shuffle(rules)
        self.fake_laminar.set_rules(*rules)

    def disrupt_web(self) -> None:
        """Kill or briefly freeze one gunicorn worker; every fourth round, kill and restart the whole web app."""
        if self.rounds % 4 == 0:
            self.web.kill_all()
            self.web.start()
        elif self.web.workers:
            pid = random.choice(self.web.workers)
            if self.rounds % 4 == 2:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.1)
                os.kill(pid, signal.SIGCONT)
            else:
                os.kill(pid, signal.SIGKILL)

    def wait_until_settled(self, seconds: float = 120) -> None:
        """Restore a healthy Laminar, retry parked patches, and wait until every patch is confirmed or superseded."""
        # One more fault, on the last values: no later save will correct them.
        self.fake_laminar.set_rules(
            {"name": "not applied", "endpoint": "metadata", "times": 5, "apply": "never"}, keys=None
        )
        for _ in range(self.worker_count):
            self.workers.start()

        def settled() -> bool:
            retry_when_locked(unblock_patches)
            retry_when_locked(make_all_due)
            return is_settled()

        wait_until(settled, seconds, every=0.25)


def random_failpoint() -> str:
    """Return a failpoint that kills the worker, or "" for a worker to kill from outside."""
    return "" if random.random() < 0.25 else f"{random.choice(WORKER_FAILPOINTS)}=kill@{random.randint(1, 12)}"


def retry_when_locked(action: Callable[[], object]) -> None:
    """Run a database action, retrying while the workers hold a lock. Raises OperationalError on the sixth failure."""
    for _ in range(5):
        try:
            action()
            return
        except OperationalError:
            time.sleep(0.2)
    action()
