"""Keep the mirror in sync: list new traces, reread known ones, prune those older than the mirror's window."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async
from django.db.models import Exists, OuterRef, Q

from reviewapp.accounts.models import Project
from reviewapp.delivery import outbox
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import (
    AsyncLaminar,
    LaminarError,
    ParsedRows,
    RateLimited,
    TimedOut,
    TraceRow,
    UnexpectedResponse,
)
from reviewapp.lib import clock
from reviewapp.traces.sync import prune, reread, storing, unreadable, watermark
from reviewapp.traces.sync.list_new import OVERSIZE_ERRORS, Listing
from reviewapp.worker.batch_size import BatchSizes
from reviewapp.worker.project_tasks import ProjectTasks

log = logging.getLogger(__name__)

# Seconds to wait after a failed listing or reread, and after a 429 without a Retry-After.
RETRY_DELAY = 60.0
DEFAULT_RATE_LIMIT_DELAY = 10.0
# Pages that one run of a listing stores; `list_remaining` lists the rest.
MAX_LISTING_PAGES = 20
# Some traces arrive late and others change unnoticed, so recent traces are listed again: how far back, and how often
# in seconds. A sweep stores few pages per run, so that it never delays new traces.
SWEEP_INTERVALS = {timedelta(hours=1): 300.0, timedelta(days=1): 3_600.0}
MAX_SWEEP_PAGES = 5
# Batches that one run prunes per project.
MAX_PRUNE_BATCHES = 10


@dataclass(slots=True)
class MirrorSync:
    """Syncs the mirrors of all projects. `get_client` returns a project's client, None if its key may not read."""

    get_client: Callable[[Project], Awaitable[AsyncLaminar | None]]
    list_new_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    list_remaining_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    reread_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    # By project primary key, the monotonic time until which nothing is listed or reread after a failure.
    paused_until: dict[int, float] = field(default_factory=dict)
    # By project primary key, the monotonic time until which nothing at all is read after a 429.
    rate_limited_until: dict[int, float] = field(default_factory=dict)
    # By project primary key and how far back: the current sweep, and the monotonic time when it started.
    sweeps: dict[tuple[int, timedelta], tuple[Listing, float]] = field(default_factory=dict)
    batch_sizes: BatchSizes = field(default_factory=lambda: BatchSizes(reread.BATCH_SIZE))

    @property
    def rate_limited_projects(self) -> list[int]:
        """Primary keys of projects whose Laminar asked to slow down."""
        return [project for project, until in self.rate_limited_until.items() if until > time.monotonic()]

    def record_rate_limit(self, project: Project, error: LaminarError) -> None:
        """After a 429, read nothing of this project for the time that Laminar asks for."""
        if isinstance(error, RateLimited):
            self.rate_limited_until[project.pk] = time.monotonic() + (error.retry_after or DEFAULT_RATE_LIMIT_DELAY)

    async def list_new(self) -> int:
        """Start listing each project's new traces into the mirror. Returns the number of projects."""
        return await self._start_each(self.list_new_tasks, self._list_new)

    async def list_remaining(self) -> int:
        """Start filling the mirror's gaps, then listing recent traces again. Returns the number of projects."""
        return await self._start_each(self.list_remaining_tasks, self._list_remaining)

    async def reread(self) -> int:
        """Start rereading due traces, one batch per project. Returns the number of projects."""
        return await self._start_each(self.reread_tasks, self._reread)

    async def prune(self) -> int:
        """Delete traces older than the mirror's window, a bounded number per project. Returns how many."""
        total = 0
        for project in await sync_to_async(_all_projects)():
            cutoff = await sync_to_async(prune.get_cutoff)(project)
            for _ in range(MAX_PRUNE_BATCHES):
                count = await sync_to_async(prune.prune)(project, cutoff, has_active_patch())
                total += count
                if not count:
                    break
            total += await sync_to_async(unreadable.prune)(project, cutoff, has_active_patch(), prune.BATCH_SIZE)
        return total

    async def close(self) -> None:
        await self.list_new_tasks.cancel_all()
        await self.list_remaining_tasks.cancel_all()
        await self.reread_tasks.cancel_all()

    async def _start_each(self, tasks: ProjectTasks, work: Callable[[Project, AsyncLaminar], Awaitable[None]]) -> int:
        """Start `work` for each readable project that is not paused and has no such task running."""
        skipped = {*tasks.running, *self.rate_limited_projects}
        skipped |= {project for project, until in self.paused_until.items() if until > time.monotonic()}
        ready = [project for project in await sync_to_async(_readable_projects)() if project.pk not in skipped]
        for project in ready:
            tasks.start(project.pk, self._run(project, work))
        return len(ready)

    async def _run(self, project: Project, work: Callable[[Project, AsyncLaminar], Awaitable[None]]) -> None:
        try:
            client = await self.get_client(project)
            if client is not None:
                await work(project, client)
        except LaminarError as error:
            self.record_rate_limit(project, error)
            self.paused_until[project.pk] = time.monotonic() + RETRY_DELAY
            log.info("Could not read traces of project %s: %s", project.slug, error)

    async def _list_new(self, project: Project, client: AsyncLaminar) -> None:
        listing = Listing(await sync_to_async(watermark.next_listing_start)(project))
        try:
            await _store_pages(project, client, listing)
        finally:
            if listing.stored_from is not None and listing.newest is not None:
                await sync_to_async(watermark.advance_watermark)(
                    project, listing.since, listing.stored_from, listing.newest
                )

    async def _list_remaining(self, project: Project, client: AsyncLaminar) -> None:
        while gap := await sync_to_async(watermark.get_gap)(project):
            listing = Listing(*gap)
            try:
                await _store_pages(project, client, listing)
            finally:
                if listing.stored_from is not None:
                    await sync_to_async(watermark.extend_coverage)(project, listing.stored_from, gap[1])
        for lookback, interval in SWEEP_INTERVALS.items():
            await self._sweep(project, client, lookback, interval)

    async def _sweep(self, project: Project, client: AsyncLaminar, lookback: timedelta, interval: float) -> None:
        """Continue listing the traces of the last `lookback` again, or start over after `interval` seconds."""
        listing, started_at = self.sweeps.get((project.pk, lookback), (None, 0.0))
        if listing is None or (listing.is_done and time.monotonic() >= started_at + interval):
            mirror_watermark = await sync_to_async(watermark.get_watermark)(project)
            if mirror_watermark is None or mirror_watermark.gapless_since is None:
                return
            # Start no earlier than the mirror does, so that pruned traces do not return.
            listing = Listing(max(mirror_watermark.gapless_since, clock.now() - lookback))
            self.sweeps[project.pk, lookback] = listing, time.monotonic()
        try:
            await _store_pages(project, client, listing, MAX_SWEEP_PAGES)
        except OVERSIZE_ERRORS:
            # A single trace is too large: skip the older ones until the next sweep.
            listing.is_done = True

    async def _reread(self, project: Project, client: AsyncLaminar) -> None:
        traces = await sync_to_async(reread.select_due)(project, self.batch_sizes.get(project))
        if not traces:
            return
        requested_at = clock.now()
        try:
            page = await client.traces([trace.trace_id for trace in traces])
        except OVERSIZE_ERRORS:
            # Request half as many next time. A trace that is too large alone is not reread for a long time.
            self.batch_sizes.halve(project, len(traces))
            delay = reread.UNREADABLE_DELAY if len(traces) == 1 else timedelta()
            await sync_to_async(reread.reschedule)(traces, delay)
        except LaminarError as error:
            if isinstance(error, TimedOut):
                self.batch_sizes.halve(project, len(traces))
            await sync_to_async(reread.reschedule)(traces)
            raise
        else:
            await sync_to_async(reread.store_and_reschedule)(project, traces, page, requested_at)
            self.batch_sizes.grow(project)


async def _store_pages(
    project: Project, client: AsyncLaminar, listing: Listing, max_pages: int = MAX_LISTING_PAGES
) -> None:
    """Store some pages of a listing. Raises LaminarError; stored pages stay, and the listing records its progress."""
    storing = asyncio.get_running_loop().create_future()
    storing.set_result(None)
    listing.excluded = await sync_to_async(unreadable.find_too_long)(project)
    for _ in range(max_pages):
        if listing.is_done:
            break
        requested_at = clock.now()
        try:
            page = await client.find_traces([], **listing.next_query)
        except OVERSIZE_ERRORS as error:
            if not listing.halve_page_size():
                await _skip_newest(project, client, listing, error)
            continue
        finally:
            # One page is stored while the next is requested.
            await storing
        listing.advance(page)
        storing = asyncio.ensure_future(_store_page(project, page, requested_at, listing, listing.listed_from))
    await storing


async def _skip_newest(project: Project, client: AsyncLaminar, listing: Listing, error: LaminarError) -> None:
    """Mark the newest remaining trace, whose row alone cannot be fetched, and leave it out. Raises LaminarError."""
    if not isinstance(error, UnexpectedResponse):
        raise error
    row = await client.identify_newest(error, **listing.next_range)
    if not listing.skip(row) or row is None:
        raise error
    await sync_to_async(storing.store_listed)(project, ParsedRows([], [row]))


async def _store_page(
    project: Project, page: ParsedRows[TraceRow], requested_at: datetime, listing: Listing, listed_from: datetime | None
) -> None:
    await sync_to_async(storing.store_listed)(project, page, requested_at)
    await sync_to_async(outbox.wake_missed)(project, [row.id for row in page.readable])
    listing.stored_from = listed_from


def has_active_patch() -> Exists:
    """A subquery on traces: whether a patch for the trace is unfinished, parked or watched for drift."""
    patches = Patch.objects.filter(project=OuterRef("project"), trace_id=OuterRef("trace_id"))
    is_open = Q(state__in=[State.WAITING, State.SENDING, State.ACCEPTED, State.PARKED])
    return Exists(patches.filter(is_open | Q(watch_due_at__isnull=False)))


def _all_projects() -> list[Project]:
    return list(Project.objects.order_by("pk"))


def _readable_projects() -> list[Project]:
    blocked = Breaker.objects.filter(open_until__gt=clock.now()).values("project")
    keys = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL)
    return list(Project.objects.filter(pk__in=keys.values("project")).exclude(pk__in=blocked))
