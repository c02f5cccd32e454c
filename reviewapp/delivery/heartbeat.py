"""Which workers are running: each writes a heartbeat every few seconds, and pages show when there is none."""

import math
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from reviewapp.delivery import restore_guard
from reviewapp.delivery.models import Heartbeat
from reviewapp.lib import clock
from reviewapp.lib.shortening import shorten

# In seconds.
INTERVAL = 5.0
STALE_AFTER = timedelta(seconds=15)
RETENTION = timedelta(days=1)
# Seconds. A host's clock that differs by more from the database's is reported.
MAX_CLOCK_OFFSET = 5.0


@dataclass(slots=True)
class HeartbeatSender:
    """Send one worker's heartbeat, and check with it whether the database was restored to an earlier state."""

    worker: UUID = field(default_factory=uuid4)
    started_at: datetime = field(default_factory=clock.now)
    # False before the first heartbeat and after an error: the database may have been restored.
    is_database_checked: bool = False
    # Ids of master keys that this worker lacks: it delivers nothing of the projects that need them.
    missing_master_keys: Sequence[str] = ()
    # On the monotonic clock, in seconds.
    last_sent: float = -math.inf

    def send(self) -> None:
        """Send a heartbeat, unless the last one is recent."""
        if self.is_database_checked and time.monotonic() < self.last_sent + INTERVAL:
            return
        restore_guard.check_for_restore()
        self.is_database_checked, self.last_sent = True, time.monotonic()
        clock.sync()
        now, clock_offset = clock.now(), clock.host_offset()
        missing = shorten(" ".join(self.missing_master_keys), 300)
        heartbeats = Heartbeat.objects.filter(pk=self.worker)
        if not heartbeats.update(seen_at=now, clock_offset=clock_offset, missing_master_keys=missing):
            Heartbeat.objects.create(
                worker=self.worker, host=shorten(socket.gethostname(), 120), pid=os.getpid(),
                started_at=self.started_at, seen_at=now, clock_offset=clock_offset, missing_master_keys=missing,
            )  # fmt: skip
        Heartbeat.objects.filter(seen_at__lt=now - RETENTION).delete()


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The workers that are running, and when one was last seen: None if never."""

    running: list[Heartbeat]
    seen_at: datetime | None

    @property
    def count(self) -> int:
        return len(self.running)

    @property
    def with_wrong_clock(self) -> list[Heartbeat]:
        """The running workers on hosts whose clock differs noticeably from the database's."""
        return [worker for worker in self.running if abs(worker.clock_offset) > MAX_CLOCK_OFFSET]

    @property
    def without_master_key(self) -> list[Heartbeat]:
        """The running workers that lack a master key."""
        return [worker for worker in self.running if worker.missing_master_keys]


def get_worker_status() -> WorkerStatus:
    heartbeats = list(Heartbeat.objects.order_by("-seen_at"))
    since = clock.now() - STALE_AFTER
    running = [heartbeat for heartbeat in heartbeats if heartbeat.seen_at >= since]
    return WorkerStatus(running, heartbeats[0].seen_at if heartbeats else None)


def find_worker_obstacle() -> str:
    """Return why nothing is delivered at present, as a sentence; empty if a worker was seen lately."""
    status = get_worker_status()
    if status.count:
        return ""
    seen = "so far" if status.seen_at is None else f"since {status.seen_at:%F %T} UTC"
    return f"No worker was seen {seen}."
