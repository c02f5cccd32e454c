"""The worker: pushes what waits, reads back what was accepted, pulls what somebody wants to read.

Loops in one event loop over shared connections. Concurrency lives here; every decision is a row.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from itertools import groupby
from typing import TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from reviewapp.accounts.models import Project
from reviewapp.delivery import breaker, clock_skew, confirmation, drift, leasing
from reviewapp.delivery.heartbeat import Pulse
from reviewapp.delivery.models import Patch, State
from reviewapp.laminar import AsyncLaminar, LaminarError
from reviewapp.laminar.client import DEADLINE
from reviewapp.lib import clock
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull
from reviewapp.worker.client_pool import Clients, keys_of
from reviewapp.worker.mirror_sync import Mirroring
from reviewapp.worker.project_tasks import Errands
from reviewapp.worker.pusher import Pushing
from reviewapp.worker.readback import Looking, Looks

log = logging.getLogger(__name__)

Row = TypeVar("Row", Patch, Trace)

# All times in seconds.
IDLE = 0.2
LOOK_EVERY = 2.0
# Transcripts prepared anew at each look.
AGAIN = 10
WATCH_EVERY = 1.0
LIST_EVERY = 5.0
REREAD_EVERY = 2.0
PRUNE_EVERY = 60.0
BESIDE_EVERY = 3.0
# After a stop: the longest push, its values and then its tags, and the lease. What could not be marked by then, as
# without a database, is another worker's.
FINISH = 2 * DEADLINE + leasing.LEASE.total_seconds()
SOON = timedelta(seconds=10)


@dataclass(slots=True)
class Worker:
    """One worker process. `run` ends soon after `stop` is set; pushes under way are finished first, if they can be."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    # What else is to be done, again and again, that delivery knows nothing of: each says how much there was to do.
    beside: Sequence[Callable[[], int]] = ()
    clients: Clients = field(default_factory=Clients)
    pushes: Pushing = field(init=False)
    pulse: Pulse = field(default_factory=Pulse)
    reads: Errands = field(default_factory=Errands)
    watches: Errands = field(default_factory=Errands)
    pulls: Errands = field(default_factory=Errands)
    mirror: Mirroring = field(init=False)
    looks: Looks = field(init=False)
    # Seconds for that, and the moment of the monotonic clock when the stop was noticed.
    finish: float = FINISH
    stopped_at: float | None = None

    def __post_init__(self) -> None:
        self.pushes = Pushing(self.clients)
        self.mirror = Mirroring(self._reader)
        self.looks = Looks(self._reader, self.mirror.note)

    async def run(self) -> None:
        try:
            await asyncio.gather(
                self._repeat(self.push, IDLE),
                self._repeat(self.read_back, IDLE),
                self._repeat(self.watch, WATCH_EVERY),
                self._repeat(self.pull, IDLE),
                self._repeat(self.mirror.list_new, LIST_EVERY),
                self._repeat(self.mirror.list_rest, LIST_EVERY),
                self._repeat(self.mirror.read_again, REREAD_EVERY),
                self._repeat(self.mirror.prune, PRUNE_EVERY),
                self._repeat(self.look_after, LOOK_EVERY),
                *(self._repeat(_in_loop(act), BESIDE_EVERY) for act in self.beside),
            )
        finally:
            await self._close()

    async def once(self) -> None:
        """Pull, push and read back what is due now, and wait a little for what was just accepted."""
        try:
            await self.look_after()
            await self.mirror.list_new()
            await self.mirror.lists.finish()
            await self.mirror.list_rest()
            await self.mirror.rests.finish()
            await self.mirror.read_again()
            await self.mirror.reads.finish()
            while await self.mirror.prune():
                pass
            for act in self.beside:
                while await sync_to_async(act)():
                    pass
            while await self.pull() or self.pulls.under_way:
                await self.pulls.pause(IDLE)
            while await self.push() or self.pushes.held:
                await asyncio.sleep(0.01)
            for _ in range(25):
                await self.read_back()
                if not self.reads.under_way and not await sync_to_async(_is_reading_soon)():
                    break
                await asyncio.sleep(IDLE)
            while await self.watch() or self.watches.under_way:
                await self.watches.pause(IDLE)
        finally:
            await self._close()

    async def push(self) -> int:
        """Mark the pushes that ended, start as many new ones as there is room for; how many of both."""
        if self.stop.is_set():
            self.stopped_at = self.stopped_at or time.monotonic()
            self.pushes.end()
        if not self.pulse.is_sure:
            await sync_to_async(self.pulse.beat)()
        return await self.pushes.round()

    async def read_back(self) -> int:
        """Ask for the traces of accepted patches; for how many of these."""
        return await self._look(confirmation, self.reads)

    async def watch(self) -> int:
        """Ask for the traces of confirmed patches that are watched; for how many of these. Pushes go first."""
        return 0 if len(self.pushes.held) > leasing.SHARE // 2 else await self._look(drift, self.watches)

    async def pull(self) -> int:
        """Pull traces that are wanted, with their spans; how many of them."""
        taken = await sync_to_async(pull.take)([*self.pulls.under_way, *self.mirror.held_back])
        for project, traces in _by_project(taken):
            self.pulls.start(project.pk, self._pull_of(project, traces))
        await self.pulls.pause(IDLE)
        return len(taken)

    async def look_after(self) -> int:
        """Give a sign of life, take back the leases of dead workers, notice new keys, tend the index."""
        await sync_to_async(close_old_connections)()
        await sync_to_async(self.pulse.beat)()
        await sync_to_async(breaker.release_rekeyed)()
        await sync_to_async(confirmation.resume)()
        await sync_to_async(clock_skew.bring_forward)()
        await self.clients.close_retired()
        await sync_to_async(pull.prepare_again)(AGAIN)
        await sync_to_async(index.tend)()
        return await sync_to_async(leasing.rescue)()

    async def _look(self, looking: Looking, errands: Errands) -> int:
        taken = await sync_to_async(looking.take)([*errands.under_way, *self.mirror.held_back])
        for project, patches in _by_project(taken):
            errands.start(project.pk, self.looks.at(looking, project, patches))
        await errands.pause(IDLE)
        return len(taken)

    async def _pull_of(self, project: Project, traces: Sequence[Trace]) -> None:
        left = {trace.trace_id: trace for trace in traces}
        try:
            client = await self._reader(project)
            if client is None:
                await sync_to_async(pull.note_error)(traces, pull.MAY_NOT_READ)
                return
            asked_at = clock.now()
            rows = await client.traces(list(left))
            missing = left.keys() - {row.id for row in rows}
            await sync_to_async(pull.note_missing)([left.pop(trace_id) for trace_id in missing])
            for trace in await sync_to_async(pull.store_rows)(project, rows, asked_at):
                stored: set[UUID] = set()
                async for page in client.span_pages(trace.trace_id, pull.SPANS):
                    stored |= await sync_to_async(pull.store_spans)(trace, page)
                await sync_to_async(pull.settle)(trace, stored)
                del left[trace.trace_id]
        except LaminarError as error:
            self.mirror.note(project, error)
            await sync_to_async(pull.note_error)(list(left.values()), str(error))
        except Exception:
            await sync_to_async(pull.note_error)(list(left.values()), pull.OUR_FAULT)
            raise

    async def _reader(self, project: Project) -> AsyncLaminar | None:
        """The project's client, None when its key may not read. Raises LaminarError."""
        key = (await sync_to_async(keys_of)([project.pk])).get(project.pk)
        client = self.clients.of(key)
        return client if key is not None and key.can_read else None

    async def _repeat(self, act: Callable[[], Awaitable[int]], idle: float) -> None:
        """Do `act` until told to stop; at once again while there is work, after a pause when there is none."""
        while not self.stop.is_set() or (act == self.push and self._has_to_finish()):
            try:
                busy = await act()
            except Exception:
                # The rows are the truth: whatever failed here is found again by its lease or its due time.
                log.exception("%s failed and is tried again", act.__name__)
                busy = 0
                # It may have broken since the database was put back to an earlier state.
                self.pulse.is_sure = False
                await asyncio.sleep(1)
                await sync_to_async(close_old_connections)()
            if not busy or act not in (self.push, self.read_back, self.pull, self.mirror.prune):
                await _pause(self.stop, idle)

    def _has_to_finish(self) -> bool:
        """Whether rows are held that can still be marked."""
        is_late = self.stopped_at is not None and time.monotonic() > self.stopped_at + self.finish
        return bool(self.pushes.held) and not is_late

    async def _close(self) -> None:
        for errands in (self.reads, self.watches, self.pulls):
            await errands.give_up()
        await self.mirror.close()
        await self.clients.close()


def _in_loop(act: Callable[[], int]) -> Callable[[], Awaitable[int]]:
    @wraps(act)
    async def acting() -> int:
        return await sync_to_async(act)()

    return acting


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        pass


def _by_project(rows: Iterable[Row]) -> list[tuple[Project, list[Row]]]:
    ordered = sorted(rows, key=lambda row: row.project_id)
    groups = [list(group) for _, group in groupby(ordered, key=lambda row: row.project_id)]
    return [(group[0].project, group) for group in groups]


def _is_reading_soon() -> bool:
    return Patch.objects.filter(state=State.ACCEPTED, reads__lt=4, due_at__lte=clock.now() + SOON).exists()
