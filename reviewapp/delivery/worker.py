"""The worker: pushes what waits, reads back what was accepted, pulls what somebody wants to read.

Three loops in one event loop over shared connections. Concurrency lives here; every decision is a row.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from reviewapp.accounts.models import Project
from reviewapp.delivery import confirming, marking, outbox
from reviewapp.delivery.clients import Clients
from reviewapp.delivery.marking import Sent
from reviewapp.delivery.models import Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError
from reviewapp.lib import clock
from reviewapp.traces import pulling
from reviewapp.traces.models import Trace

log = logging.getLogger(__name__)

PUSHES = 32
PULLS = 8
IDLE = 0.2
RENEW = 5.0
LIST_EVERY = 5.0


@dataclass(slots=True)
class Worker:
    """One worker process. `run` ends soon after `stop` is set; pushes under way are finished first."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    clients: Clients = field(default_factory=Clients)
    under_way: dict[asyncio.Task[Sent], Patch] = field(default_factory=dict)

    async def run(self) -> None:
        try:
            await asyncio.gather(
                self._repeat(self.push, IDLE),
                self._repeat(self.read_back, IDLE),
                self._repeat(self.pull, IDLE),
                self._repeat(self.list_new, LIST_EVERY),
                self._repeat(self.look_after, RENEW),
            )
        finally:
            await self.clients.close()

    async def once(self) -> None:
        """Pull, push and read back what is due now, and wait a little for what was just accepted."""
        try:
            await self.look_after()
            await self.list_new()
            while await self.pull():
                pass
            while await self.push() or self.under_way:
                await asyncio.sleep(0.01)
            for _ in range(25):
                await self.read_back()
                if not await sync_to_async(_is_reading_soon)():
                    break
                await asyncio.sleep(IDLE)
        finally:
            await self.clients.close()

    async def push(self) -> int:
        """Mark the pushes that ended, start as many new ones as there is room for; how many were started."""
        ended = [task for task in self.under_way if task.done()]
        if ended:
            await sync_to_async(marking.mark_sent)([task.result() for task in ended])
            for task in ended:
                del self.under_way[task]
        room = 0 if self.stop.is_set() else PUSHES - len(self.under_way)
        patches = await sync_to_async(outbox.lease)(room) if room else []
        for patch in patches:
            self.under_way[asyncio.create_task(self._push_one(patch))] = patch
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=IDLE, return_when=asyncio.FIRST_COMPLETED)
        return len(patches) + len(ended)

    async def read_back(self) -> int:
        """Ask for the traces of accepted patches and mark those that show their values; how many were asked for."""
        taken = await sync_to_async(confirming.take)()
        for project in {patch.project for patch in taken}:
            patches = [patch for patch in taken if patch.project_id == project.pk]
            try:
                await self._read_back_of(project, patches)
            except LaminarError as error:
                log.warning("reading back for %s failed: %s", project.slug, error)
        return len(taken)

    async def pull(self) -> int:
        """Pull traces that are wanted, with their spans; how many were asked for."""
        due = await sync_to_async(_due_traces)()
        for project in {trace.project for trace in due}:
            traces = [trace for trace in due if trace.project_id == project.pk]
            try:
                await self._pull_of(project, traces)
            except LaminarError as error:
                await sync_to_async(pulling.note_error)(traces, str(error))
        return len(due)

    async def list_new(self) -> int:
        """List each project's new traces into the mirror; how many were new or had changed."""
        count = 0
        for project in await sync_to_async(lambda: list(Project.objects.exclude(laminar_keys=None).distinct()))():
            try:
                count += await self._list_of(project)
            except LaminarError as error:
                log.info("listing traces of %s failed: %s", project.slug, error)
        return count

    async def look_after(self) -> int:
        """Renew the leases under way, take back those of dead workers, notice new keys."""
        close_old_connections()
        await sync_to_async(outbox.renew)(list(self.under_way.values()))
        await sync_to_async(marking.release_rekeyed)()
        await sync_to_async(confirming.resume)()
        return await sync_to_async(outbox.rescue)()

    async def _push_one(self, patch: Patch) -> Sent:
        at, began = clock.now(), time.monotonic()
        error: LaminarError | None = None
        key: LaminarKey | None = None
        try:
            connection = await self.clients.of(patch.project)
            key = connection.key
            # A worker that was frozen wakes with a lease that another may hold by now.
            if patch.leased_until is not None and patch.leased_until > clock.now():
                await connection.client.push_metadata(patch.trace_id, patch.values)
            else:
                error = LaminarError("The worker was held up and sent nothing.")
        except LaminarError as caught:
            error = caught
        return Sent(patch, key, at, time.monotonic() - began, error)

    async def _read_back_of(self, project: Project, patches: Sequence[Patch]) -> None:
        connection = await self.clients.of(project)
        if not connection.key.can_read:
            await sync_to_async(confirming.set_aside)(patches)
            return
        began = time.monotonic()
        rows = await connection.client.traces(list({patch.trace_id for patch in patches}))
        found = {row.id: row.metadata for row in rows}
        await sync_to_async(confirming.mark_read)(patches, found, time.monotonic() - began)

    async def _pull_of(self, project: Project, traces: Sequence[Trace]) -> None:
        connection = await self.clients.of(project)
        rows = {row.id: row for row in await connection.client.traces([trace.trace_id for trace in traces])}
        await sync_to_async(pulling.note_missing)([trace for trace in traces if trace.trace_id not in rows])
        for trace in await sync_to_async(pulling.store_rows)(project, list(rows.values())):
            spans = await connection.client.spans(trace.trace_id, limit=pulling.SPANS)
            await sync_to_async(pulling.store_spans)(trace, spans)

    async def _list_of(self, project: Project) -> int:
        connection = await self.clients.of(project)
        if not connection.key.can_read:
            return 0
        since = await sync_to_async(pulling.listed_since)(project)
        count, until, newest = 0, None, None
        while True:
            rows = await connection.client.traces_matching([], since=since, until=until, limit=pulling.PAGE)
            if rows:
                newest = newest or rows[0].start_time
                new = await sync_to_async(pulling.unseen)(project, rows)
                await sync_to_async(pulling.store_rows)(project, new)
                count += len(new)
            if len(rows) < pulling.PAGE or self.stop.is_set():
                break
            until = rows[-1].start_time
        if newest is not None and not self.stop.is_set():
            await sync_to_async(pulling.note_listed)(project, newest)
        return count

    async def _repeat(self, act: Callable[[], Awaitable[int]], idle: float) -> None:
        """Do `act` until told to stop; at once again while there is work, after a pause when there is none."""
        while not self.stop.is_set() or (act == self.push and self.under_way):
            try:
                busy = await act()
            except Exception:
                # The rows are the truth: whatever failed here is found again by its lease or its due time.
                log.exception("%s failed and is tried again", act.__name__)
                busy = 0
                await asyncio.sleep(1)
            if not busy or act == self.list_new or act == self.look_after:
                await _pause(self.stop, idle)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        pass


def _due_traces() -> list[Trace]:
    return list(Trace.objects.due(clock.now()).select_related("project")[:PULLS])


def _is_reading_soon() -> bool:
    return Patch.objects.filter(state=State.ACCEPTED, reads__lt=4, due_at__lte=clock.now() + pulling.AGAIN).exists()
