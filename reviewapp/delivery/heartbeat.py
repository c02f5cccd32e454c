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
KEPT = timedelta(days=1)


@dataclass(slots=True)
class Pulse:
    """One worker's sign of life, and with it the look whether the database was put back to an earlier state."""

    worker: UUID = field(default_factory=uuid4)
    started_at: datetime = field(default_factory=clock.now)
    # Whether the database is known to be the one it was: before the first beat, and after a fault, it is not.
    is_sure: bool = False
    beaten: float = -math.inf

    def beat(self) -> None:
        """Show that this worker runs, unless it did so a moment ago."""
        if self.is_sure and time.monotonic() < self.beaten + EVERY:
            return
        restore_guard.watch_tide()
        self.is_sure, self.beaten = True, time.monotonic()
        now = clock.now()
        if not Heartbeat.objects.filter(pk=self.worker).update(seen_at=now):
            Heartbeat.objects.create(
                worker=self.worker, host=socket.gethostname()[:120], pid=os.getpid(),
                started_at=self.started_at, seen_at=now,
            )  # fmt: skip
        Heartbeat.objects.filter(seen_at__lt=now - KEPT).delete()


@dataclass(frozen=True, slots=True)
class Workers:
    """How many run, and when the last of any was seen: None when none ever was."""

    count: int
    seen_at: datetime | None


def workers() -> Workers:
    seen = list(Heartbeat.objects.order_by("-seen_at").values_list("seen_at", flat=True))
    since = clock.now() - LATE
    return Workers(sum(at >= since for at in seen), seen[0] if seen else None)
