"""The worker's part in the mirror: lists new traces, reads others again, prunes what is past the window."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async
from django.db.models import Exists, OuterRef, Q

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar, LaminarError, RateLimited, TimedOut, TraceRow
from reviewapp.lib import clock
from reviewapp.traces.sync import prune, pull, reread, watermark
from reviewapp.traces.sync.list_new import OVERSIZE_ERRORS, Listing
from reviewapp.worker.batch_size import BatchSizes
from reviewapp.worker.project_tasks import ProjectTasks

log = logging.getLogger(__name__)

# All times in seconds: after a listing or reading that failed, and after a 429 that names no time.
RETRY_DELAY = 60.0
DEFAULT_RATE_LIMIT_DELAY = 10.0
# Pages of a listing in one go: what it does not come to is left to those who list the rest.
ROUND = 20
# Traces come late, and some change where nobody looks: those that began so long ago are listed again so often (in
# seconds), so many pages in a round. Nothing that is new waits for it.
SWEEP_INTERVALS = {timedelta(hours=1): 300.0, timedelta(days=1): 3_600.0}
MAX_SWEEP_PAGES = 5
# Batches that are pruned of a project in one go.
MAX_PRUNE_BATCHES = 10


@dataclass(slots=True)
class MirrorSync:
    """`reader` gives a project's client, None when its key may not read."""

    reader: Callable[[Project], Awaitable[AsyncLaminar | None]]
    list_new_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    list_remaining_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    reread_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    # Projects by primary key, each with the moment of the monotonic clock when it goes on: what failed is tried again,
    # and who asked to slow down is left alone by every kind of pull and look.
    silent: dict[int, float] = field(default_factory=dict)
    held: dict[int, float] = field(default_factory=dict)
    # By project and how far back: what is listed again, and when that was begun.
    sweeps: dict[tuple[int, timedelta], tuple[Listing, float]] = field(default_factory=dict)
    portions: BatchSizes = field(default_factory=lambda: BatchSizes(reread.BATCH_SIZE))

    @property
    def rate_limited_projects(self) -> list[int]:
        """Projects whose Laminar asked to slow down."""
        return [project for project, until in self.held.items() if until > time.monotonic()]

    def note(self, project: Project, error: LaminarError) -> None:
        """Heed a 429: nothing is read of this project before the time it asks for."""
        if isinstance(error, RateLimited):
            self.held[project.pk] = time.monotonic() + (error.retry_after or DEFAULT_RATE_LIMIT_DELAY)

    async def list_new(self) -> int:
        """List each project's new traces into the mirror; for how many projects."""
        return await self._each(self.list_new_tasks, self._list_of)

    async def list_remaining(self) -> int:
        """List what the mirror lacks still, then again what began lately; for how many projects."""
        return await self._each(self.list_remaining_tasks, self._rest_of)

    async def reread(self) -> int:
        """Read traces again that are due, a batch for each project; for how many projects."""
        return await self._each(self.reread_tasks, self._read_of)

    async def prune(self) -> int:
        """Take out of the mirror what is past its window, of each project a bounded part; how many traces."""
        pruned = 0
        for project in await sync_to_async(_all_projects)():
            before = await sync_to_async(prune.get_cutoff)(project)
            for _ in range(MAX_PRUNE_BATCHES):
                gone = await sync_to_async(prune.prune)(project, before, has_active_patch())
                pruned += gone
                if not gone:
                    break
        return pruned

    async def close(self) -> None:
        await self.list_new_tasks.cancel_all()
        await self.list_remaining_tasks.cancel_all()
        await self.reread_tasks.cancel_all()

    async def _each(self, errands: ProjectTasks, errand: Callable[[Project, AsyncLaminar], Awaitable[None]]) -> int:
        """Start an errand for each project that can be read and has none under way."""
        waiting = {*errands.under_way, *self.rate_limited_projects}
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
            self.silent[project.pk] = time.monotonic() + RETRY_DELAY
            log.info("reading traces of %s failed: %s", project.slug, error)

    async def _list_of(self, project: Project, client: AsyncLaminar) -> None:
        listing = Listing(await sync_to_async(watermark.next_listing_start)(project))
        try:
            await _store_pages(project, client, listing)
        finally:
            if listing.stored_from is not None and listing.newest is not None:
                await sync_to_async(watermark.advance_watermark)(
                    project, listing.since, listing.stored_from, listing.newest
                )

    async def _rest_of(self, project: Project, client: AsyncLaminar) -> None:
        while gap := await sync_to_async(watermark.get_gap)(project):
            listing = Listing(*gap)
            try:
                await _store_pages(project, client, listing)
            finally:
                if listing.stored_from is not None:
                    await sync_to_async(watermark.extend_coverage)(project, listing.stored_from, gap[1])
        for back, every in SWEEP_INTERVALS.items():
            await self._sweep(project, client, back, every)

    async def _sweep(self, project: Project, client: AsyncLaminar, back: timedelta, every: float) -> None:
        """Go on listing again what began so far back, or begin with it when it is time."""
        listing, begun = self.sweeps.get((project.pk, back), (None, 0.0))
        if listing is None or (listing.is_done and time.monotonic() >= begun + every):
            mark = await sync_to_async(watermark.get_watermark)(project)
            if mark is None or mark.gapless_since is None:
                return
            # What was pruned does not come again.
            listing = Listing(max(mark.gapless_since, clock.now() - back))
            self.sweeps[project.pk, back] = listing, time.monotonic()
        try:
            await _store_pages(project, client, listing, MAX_SWEEP_PAGES)
        except OVERSIZE_ERRORS:
            # One trace is too much by itself: those beyond it are left for this time.
            listing.is_done = True

    async def _read_of(self, project: Project, client: AsyncLaminar) -> None:
        traces = await sync_to_async(reread.select_due)(project, self.portions.get(project))
        if not traces:
            return
        asked_at = clock.now()
        try:
            rows = await client.traces([trace.trace_id for trace in traces])
        except OVERSIZE_ERRORS:
            # Half as many next time; the one that is too much by itself is left alone for long.
            self.portions.halve(project, len(traces))
            wait = reread.UNREADABLE_DELAY if len(traces) == 1 else timedelta()
            await sync_to_async(reread.reschedule)(traces, wait)
        except LaminarError as error:
            if isinstance(error, TimedOut):
                self.portions.halve(project, len(traces))
            await sync_to_async(reread.reschedule)(traces)
            raise
        else:
            await sync_to_async(reread.store_and_reschedule)(project, traces, rows, asked_at)
            self.portions.grow(project)


async def _store_pages(project: Project, client: AsyncLaminar, listing: Listing, most: int = ROUND) -> None:
    """Store some pages of a listing. Raises LaminarError; what is stored stays, and the listing knows how far."""
    storing = asyncio.get_running_loop().create_future()
    storing.set_result(None)
    for _ in range(most):
        if listing.is_done:
            break
        asked_at = clock.now()
        try:
            rows = await client.find_traces([], **listing.next_query)
        except OVERSIZE_ERRORS:
            if not listing.halve_page_size():
                raise
            continue
        finally:
            # One page is stored while the next is asked for.
            await storing
        listing.advance(rows)
        storing = asyncio.ensure_future(_store(project, rows, asked_at, listing, listing.listed_from))
    await storing


async def _store(
    project: Project, rows: Sequence[TraceRow], asked_at: datetime, listing: Listing, reaches: datetime | None
) -> None:
    await sync_to_async(pull.store_listed)(project, rows, asked_at)
    listing.stored_from = reaches


def has_active_patch() -> Exists:
    """Whether a patch of ours for a trace is on its way, or watched."""
    ours = Patch.objects.filter(project=OuterRef("project"), trace_id=OuterRef("trace_id"))
    is_open = Q(state__in=[State.WAITING, State.SENDING, State.ACCEPTED, State.PARKED])
    return Exists(ours.filter(is_open | Q(watch_due_at__isnull=False)))


def _all_projects() -> list[Project]:
    return list(Project.objects.order_by("pk"))


def _readable_projects() -> list[Project]:
    held = Breaker.objects.filter(open_until__gt=clock.now()).values("project")
    keys = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL)
    return list(Project.objects.filter(pk__in=keys.values("project")).exclude(pk__in=held))
