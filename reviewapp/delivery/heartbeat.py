"""Which workers are running: each writes a heartbeat every few seconds, and pages show when there is none."""

import math
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from reviewapp.delivery import restore_guard
from reviewapp.delivery.models import Heartbeat
from reviewapp.lib import clock

# In seconds.
INTERVAL = 5.0
STALE_AFTER = timedelta(seconds=15)
RETENTION = timedelta(days=1)


@dataclass(slots=True)
class HeartbeatSender:
    """Send one worker's heartbeat, and check with it whether the database was restored to an earlier state."""

    worker: UUID = field(default_factory=uuid4)
    started_at: datetime = field(default_factory=clock.now)
    # False before the first heartbeat and after an error: the database may have been restored.
    is_database_checked: bool = False
    # On the monotonic clock, in seconds.
    last_sent: float = -math.inf

    def send(self) -> None:
        """Send a heartbeat, unless the last one is recent."""
        if self.is_database_checked and time.monotonic() < self.last_sent + INTERVAL:
            return
        restore_guard.check_for_restore()
        self.is_database_checked, self.last_sent = True, time.monotonic()
        now = clock.now()
        if not Heartbeat.objects.filter(pk=self.worker).update(seen_at=now):
            Heartbeat.objects.create(
                worker=self.worker, host=socket.gethostname()[:120], pid=os.getpid(),
                started_at=self.started_at, seen_at=now,
            )  # fmt: skip
        Heartbeat.objects.filter(seen_at__lt=now - RETENTION).delete()


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """How many workers are running, and when one was last seen: None if never."""

    count: int
    seen_at: datetime | None


def get_worker_status() -> WorkerStatus:
    seen_times = list(Heartbeat.objects.order_by("-seen_at").values_list("seen_at", flat=True))
    since = clock.now() - STALE_AFTER
    return WorkerStatus(sum(seen_at >= since for seen_at in seen_times), seen_times[0] if seen_times else None)
