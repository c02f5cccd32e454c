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
from reviewapp.delivery.heartbeat import HeartbeatSender
from reviewapp.delivery.models import Patch, State
from reviewapp.laminar import AsyncLaminar, LaminarError
from reviewapp.laminar.client import DEADLINE_SECONDS
from reviewapp.lib import clock
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull
from reviewapp.worker.client_pool import ClientPool, get_keys_by_project
from reviewapp.worker.mirror_sync import MirrorSync
from reviewapp.worker.project_tasks import ProjectTasks
from reviewapp.worker.pusher import Pusher
from reviewapp.worker.readback import ReadbackRunner, ReadbackTarget

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
FINISH = 2 * DEADLINE_SECONDS + leasing.LEASE_DURATION.total_seconds()
SOON = timedelta(seconds=10)


@dataclass(slots=True)
class Worker:
    """One worker process. `run` ends soon after `stop` is set; pushes under way are finished first, if they can be."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    # What else is to be done, again and again, that delivery knows nothing of: each says how much there was to do.
    extra_tasks: Sequence[Callable[[], int]] = ()
    clients: ClientPool = field(default_factory=ClientPool)
    pusher: Pusher = field(init=False)
    heartbeat: HeartbeatSender = field(default_factory=HeartbeatSender)
    readback_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    drift_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    pull_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    mirror: MirrorSync = field(init=False)
    readback_runner: ReadbackRunner = field(init=False)
    # Seconds for that, and the moment of the monotonic clock when the stop was noticed.
    finish: float = FINISH
    stopped_at: float | None = None

    def __post_init__(self) -> None:
        self.pusher = Pusher(self.clients)
        self.mirror = MirrorSync(self._reader)
        self.readback_runner = ReadbackRunner(self._reader, self.mirror.note)

    async def run(self) -> None:
        try:
            await asyncio.gather(
                self._repeat(self.push, IDLE),
                self._repeat(self.read_back, IDLE),
                self._repeat(self.check_drift, WATCH_EVERY),
                self._repeat(self.pull, IDLE),
                self._repeat(self.mirror.list_new, LIST_EVERY),
                self._repeat(self.mirror.list_remaining, LIST_EVERY),
                self._repeat(self.mirror.reread, REREAD_EVERY),
                self._repeat(self.mirror.prune, PRUNE_EVERY),
                self._repeat(self.run_maintenance, LOOK_EVERY),
                *(self._repeat(_in_loop(act), BESIDE_EVERY) for act in self.extra_tasks),
            )
        finally:
            await self._close()

    async def run_once(self) -> None:
        """Pull, push and read back what is due now, and wait a little for what was just accepted."""
        try:
            await self.run_maintenance()
            await self.mirror.list_new()
            await self.mirror.list_new_tasks.wait_all()
            await self.mirror.list_remaining()
            await self.mirror.list_remaining_tasks.wait_all()
            await self.mirror.reread()
            await self.mirror.reread_tasks.wait_all()
            while await self.mirror.prune():
                pass
            for act in self.extra_tasks:
                while await sync_to_async(act)():
                    pass
            while await self.pull() or self.pull_tasks.under_way:
                await self.pull_tasks.wait_any(IDLE)
            while await self.push() or self.pusher.leased:
                await asyncio.sleep(0.01)
            for _ in range(25):
                await self.read_back()
                if not self.readback_tasks.under_way and not await sync_to_async(_is_reading_soon)():
                    break
                await asyncio.sleep(IDLE)
            while await self.check_drift() or self.drift_tasks.under_way:
                await self.drift_tasks.wait_any(IDLE)
        finally:
            await self._close()

    async def push(self) -> int:
        """Mark the pushes that ended, start as many new ones as there is room for; how many of both."""
        if self.stop.is_set():
            self.stopped_at = self.stopped_at or time.monotonic()
            self.pusher.end()
        if not self.heartbeat.is_database_checked:
            await sync_to_async(self.heartbeat.send)()
        return await self.pusher.run_round()

    async def read_back(self) -> int:
        """Ask for the traces of accepted patches; for how many of these."""
        return await self._look(confirmation, self.readback_tasks)

    async def check_drift(self) -> int:
        """Ask for the traces of confirmed patches that are watched; for how many of these. Pushes go first."""
        return (
            0
            if len(self.pusher.leased) > leasing.MAX_LEASED_PER_PROJECT // 2
            else await self._look(drift, self.drift_tasks)
        )

    async def pull(self) -> int:
        """Pull traces that are wanted, with their spans; how many of them."""
        taken = await sync_to_async(pull.select_due)([*self.pull_tasks.under_way, *self.mirror.rate_limited_projects])
        for project, traces in _by_project(taken):
            self.pull_tasks.start(project.pk, self._pull_of(project, traces))
        await self.pull_tasks.wait_any(IDLE)
        return len(taken)

    async def run_maintenance(self) -> int:
        """Give a sign of life, take back the leases of dead workers, notice new keys, tend the index."""
        await sync_to_async(close_old_connections)()
        await sync_to_async(self.heartbeat.send)()
        await sync_to_async(breaker.close_breakers_with_new_key)()
        await sync_to_async(confirmation.resume_with_full_key)()
        await sync_to_async(clock_skew.correct_future_due_times)()
        await self.clients.close_retired()
        await sync_to_async(pull.rebuild_outdated)(AGAIN)
        await sync_to_async(index.compact)()
        return await sync_to_async(leasing.release_expired_leases)()

    async def _look(self, looking: ReadbackTarget, errands: ProjectTasks) -> int:
        taken = await sync_to_async(looking.select_due)([*errands.under_way, *self.mirror.rate_limited_projects])
        for project, patches in _by_project(taken):
            errands.start(project.pk, self.readback_runner.at(looking, project, patches))
        await errands.wait_any(IDLE)
        return len(taken)

    async def _pull_of(self, project: Project, traces: Sequence[Trace]) -> None:
        left = {trace.trace_id: trace for trace in traces}
        try:
            client = await self._reader(project)
            if client is None:
                await sync_to_async(pull.reschedule_failed)(traces, pull.KEY_CANNOT_READ)
                return
            asked_at = clock.now()
            rows = await client.traces(list(left))
            missing = left.keys() - {row.id for row in rows}
            await sync_to_async(pull.reschedule_missing)([left.pop(trace_id) for trace_id in missing])
            for trace in await sync_to_async(pull.store_traces)(project, rows, asked_at):
                stored: set[UUID] = set()
                async for page in client.span_pages(trace.trace_id, pull.MAX_SPANS):
                    stored |= await sync_to_async(pull.store_spans)(trace, page)
                await sync_to_async(pull.finish_pull)(trace, stored)
                del left[trace.trace_id]
        except LaminarError as error:
            self.mirror.note(project, error)
            await sync_to_async(pull.reschedule_failed)(list(left.values()), str(error))
        except Exception:
            await sync_to_async(pull.reschedule_failed)(list(left.values()), pull.INTERNAL_ERROR)
            raise

    async def _reader(self, project: Project) -> AsyncLaminar | None:
        """The project's client, None when its key may not read. Raises LaminarError."""
        key = (await sync_to_async(get_keys_by_project)([project.pk])).get(project.pk)
        client = self.clients.get(key)
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
                self.heartbeat.is_database_checked = False
                await asyncio.sleep(1)
                await sync_to_async(close_old_connections)()
            if not busy or act not in (self.push, self.read_back, self.pull, self.mirror.prune):
                await _pause(self.stop, idle)

    def _has_to_finish(self) -> bool:
        """Whether rows are held that can still be marked."""
        is_late = self.stopped_at is not None and time.monotonic() > self.stopped_at + self.finish
        return bool(self.pusher.leased) and not is_late

    async def _close(self) -> None:
        for errands in (self.readback_tasks, self.drift_tasks, self.pull_tasks):
            await errands.cancel_all()
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
