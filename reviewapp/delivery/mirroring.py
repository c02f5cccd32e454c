"""The worker's part in the mirror: lists new traces, reads others again, prunes what is past the window."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.db.models import Exists, OuterRef, Q

from reviewapp.accounts.models import Project
from reviewapp.delivery.errands import Errands
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.portions import Portions
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar, LaminarError, RateLimited, TimedOut
from reviewapp.lib import clock
from reviewapp.traces import pruning, pulling, rereading
from reviewapp.traces.listing import TOO_MUCH, Listing

log = logging.getLogger(__name__)

# All times in seconds: after a listing or reading that failed, and after a 429 that names no time.
AGAIN = 60.0
SLOW_DOWN = 10.0
# Batches that are pruned of a project in one go.
BATCHES = 10


@dataclass(slots=True)
class Mirroring:
    """`reader` gives a project's client, None when its key may not read."""

    reader: Callable[[Project], Awaitable[AsyncLaminar | None]]
    lists: Errands = field(default_factory=Errands)
    reads: Errands = field(default_factory=Errands)
    # Projects by primary key, each with the moment of the monotonic clock when it goes on: what failed is tried again,
    # and who asked to slow down is left alone by every kind of pull and look.
    silent: dict[int, float] = field(default_factory=dict)
    held: dict[int, float] = field(default_factory=dict)
    portions: Portions = field(default_factory=lambda: Portions(rereading.BATCH))

    @property
    def held_back(self) -> list[int]:
        """Projects whose Laminar asked to slow down."""
        return [project for project, until in self.held.items() if until > time.monotonic()]

    def note(self, project: Project, error: LaminarError) -> None:
        """Heed a 429: nothing is read of this project before the time it asks for."""
        if isinstance(error, RateLimited):
            self.held[project.pk] = time.monotonic() + (error.retry_after or SLOW_DOWN)

    async def list_new(self) -> int:
        """List each project's new traces into the mirror; for how many projects."""
        return await self._each(self.lists, self._list_of)

    async def read_again(self) -> int:
        """Read traces again that are due, a batch for each project; for how many projects."""
        return await self._each(self.reads, self._read_of)

    async def prune(self) -> int:
        """Take out of the mirror what is past its window, of each project a bounded part; how many traces."""
        pruned = 0
        for project in await sync_to_async(_all_projects)():
            before = await sync_to_async(pruning.bound_of)(project)
            for _ in range(BATCHES):
                gone = await sync_to_async(pruning.prune)(project, before, in_hand())
                pruned += gone
                if not gone:
                    break
        return pruned

    async def close(self) -> None:
        await self.lists.give_up()
        await self.reads.give_up()

    async def _each(self, errands: Errands, errand: Callable[[Project, AsyncLaminar], Awaitable[None]]) -> int:
        """Start an errand for each project that can be read and has none under way."""
        waiting = {*errands.under_way, *self.held_back}
        waiting |= {project for project, until in self.silent.items() if until > time.monotonic()}
        ready = [project for project in await sync_to_async(_readable_projects)() if project.pk not in waiting]
        for project in ready:
            errands.start(project.pk, self._run(project, errand))
        return len(ready)

    async def _run(self, project: Project, errand: Callable[[Project, AsyncLaminar], Awaitable[None]]) -> None:
        try:
            client = await self.reader(project)
            if client is not None:
                await errand(project, client)
        except LaminarError as error:
            self.note(project, error)
            self.silent[project.pk] = time.monotonic() + AGAIN
            log.info("reading traces of %s failed: %s", project.slug, error)

    async def _list_of(self, project: Project, client: AsyncLaminar) -> None:
        since = await sync_to_async(pulling.listed_since)(project)
        listing, storing = Listing(since), asyncio.get_running_loop().create_future()
        storing.set_result(0)
        while not listing.is_done:
            try:
                rows = await client.traces_matching([], **listing.asked)
            except TOO_MUCH:
                if not listing.shrink():
                    raise
                continue
            finally:
                # One page is stored while the next is asked for.
                await storing
            storing = asyncio.ensure_future(sync_to_async(pulling.store_new)(project, rows))
            listing.take(rows)
        await storing
        if listing.newest is not None:
            await sync_to_async(pulling.note_listed)(project, since, listing.newest)

    async def _read_of(self, project: Project, client: AsyncLaminar) -> None:
        traces = await sync_to_async(rereading.take)(project, self.portions.of(project))
        if not traces:
            return
        try:
            rows = await client.traces([trace.trace_id for trace in traces])
        except TOO_MUCH:
            # Half as many next time; the one that is too much by itself is left alone for long.
            self.portions.halve(project, len(traces))
            wait = rereading.UNREADABLE if len(traces) == 1 else timedelta()
            await sync_to_async(rereading.set_aside)(traces, wait)
        except LaminarError as error:
            if isinstance(error, TimedOut):
                self.portions.halve(project, len(traces))
            await sync_to_async(rereading.set_aside)(traces)
            raise
        else:
            await sync_to_async(rereading.store)(project, traces, rows)
            self.portions.grow(project)


def in_hand() -> Exists:
    """Whether a patch of ours for a trace is on its way, or watched."""
    ours = Patch.objects.filter(project=OuterRef("project"), trace_id=OuterRef("trace_id"))
    is_open = Q(state__in=[State.WAITING, State.SENDING, State.ACCEPTED, State.PARKED])
    return Exists(ours.filter(is_open | Q(watch_due_at__isnull=False)))


def _all_projects() -> list[Project]:
    return list(Project.objects.order_by("pk"))


def _readable_projects() -> list[Project]:
    held = Breaker.objects.filter(held_until__gt=clock.now()).values("project")
    keys = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL)
    return list(Project.objects.filter(pk__in=keys.values("project")).exclude(pk__in=held))
