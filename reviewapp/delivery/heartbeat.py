"""Which workers run: each gives a sign of life every few seconds, and a page tells when none does."""

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
EVERY = 5.0
LATE = timedelta(seconds=15)
RETENTION = timedelta(days=1)


@dataclass(slots=True)
class HeartbeatSender:
    """One worker's sign of life, and with it the look whether the database was put back to an earlier state."""

    worker: UUID = field(default_factory=uuid4)
    started_at: datetime = field(default_factory=clock.now)
    # Whether the database is known to be the one it was: before the first beat, and after a fault, it is not.
    is_database_checked: bool = False
    beaten: float = -math.inf

    def send(self) -> None:
        """Show that this worker runs, unless it did so a moment ago."""
        if self.is_database_checked and time.monotonic() < self.beaten + EVERY:
            return
        restore_guard.check_for_restore()
        self.is_database_checked, self.beaten = True, time.monotonic()
        now = clock.now()
        if not Heartbeat.objects.filter(pk=self.worker).update(seen_at=now):
            Heartbeat.objects.create(
                worker=self.worker, host=socket.gethostname()[:120], pid=os.getpid(),
                started_at=self.started_at, seen_at=now,
            )  # fmt: skip
        Heartbeat.objects.filter(seen_at__lt=now - RETENTION).delete()


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """How many run, and when the last of any was seen: None when none ever was."""

    count: int
    seen_at: datetime | None


def get_worker_status() -> WorkerStatus:
    seen = list(Heartbeat.objects.order_by("-seen_at").values_list("seen_at", flat=True))
    since = clock.now() - LATE
    return WorkerStatus(sum(at >= since for at in seen), seen[0] if seen else None)
