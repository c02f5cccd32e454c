"""The worker: pushes waiting patches, reads accepted ones back, pulls requested traces, applies queue rules.

All loops share one event loop and its connections. Concurrency lives here; every decision is stored in a row.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from reviewapp.accounts.models import Project
from reviewapp.accounts.name_keys import set_keys_of_people, set_keys_of_projects, set_missing_keys
from reviewapp.accounts.sessions import forget_expired_sessions
from reviewapp.audit.heads import HeadExporter
from reviewapp.audit.refusals import record_refusals
from reviewapp.delivery import breaker, confirmation, drift, leasing, missed_traces, outbox
from reviewapp.delivery.attempt_retention import forget_old_attempts
from reviewapp.delivery.heartbeat import HeartbeatSender
from reviewapp.delivery.models import Patch, State
from reviewapp.laminar import AsyncLaminar, LaminarError
from reviewapp.laminar.client import DEADLINE_SECONDS
from reviewapp.lib import clock, deadline
from reviewapp.lib.leases import LEASE_DURATION
from reviewapp.queues.freeing import free_absent
from reviewapp.queues.idempotent_adding import forget_old_calls
from reviewapp.queues.models import Queue
from reviewapp.queues.rules.runner import apply_due_rules
from reviewapp.queues.uploads.receiving import forget_old_files
from reviewapp.queues.uploads.runner import process_uploads
from reviewapp.reviews import counting
from reviewapp.reviews.missing_queues import set_missing_queues
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull, transcripts
from reviewapp.webhooks import leasing as webhook_leasing
from reviewapp.worker import puller
from reviewapp.worker.client_pool import ClientPool, get_keys_by_project
from reviewapp.worker.clock_correction import correct_times
from reviewapp.worker.mirror_sync import MirrorSync
from reviewapp.worker.project_tasks import ProjectTasks
from reviewapp.worker.pusher import Pusher
from reviewapp.worker.readback import ReadbackRunner, ReadbackTarget
from reviewapp.worker.webhook_sender import WebhookSender

log = logging.getLogger(__name__)

Row = TypeVar("Row", Patch, Trace)

# Seconds between two rounds of a loop; the loops of `_repeat` that are busy run again at once.
IDLE_DELAY = 0.2
MAINTENANCE_INTERVAL = 2.0
DRIFT_INTERVAL = 1.0
LIST_INTERVAL = 5.0
REREAD_INTERVAL = 2.0
PRUNE_INTERVAL = 60.0
# A trace that appears late is delivered within a minute.
MISSED_INTERVAL = 20.0
RULES_INTERVAL = 3.0
WEBHOOK_INTERVAL = 0.5
# Outdated transcripts that each maintenance round renders again, and unreadable parts that it tries again.
MAX_REBUILDS = 10
MAX_RETRIES = 20
# What maintenance does, in order. The last step's result is the number of leases released.
MAINTENANCE_STEPS: Sequence[Callable[[], int | None]] = (
    breaker.close_breakers_with_new_key,
    breaker.bring_probes_forward,
    confirmation.resume_with_full_key,
    correct_times,
    set_keys_of_people,
    set_keys_of_projects,
    partial(set_missing_keys, Queue, "name"),
    set_missing_queues,
    free_absent,
    forget_old_calls,
    forget_old_files,
    record_refusals,
    forget_old_attempts,
    forget_expired_sessions,
    partial(transcripts.rebuild_outdated, MAX_REBUILDS),
    partial(transcripts.retry_unreadable, MAX_RETRIES),
    index.compact,
    counting.recount_due,
    webhook_leasing.delete_old,
    webhook_leasing.release_expired_leases,
    leasing.release_expired_leases,
)
# Seconds to finish pushes after a stop: the longest push (metadata, then tags) and a lease. Results that could not be
# recorded by then, for example without a database, are left to another worker.
FINISH_TIMEOUT = 2 * DEADLINE_SECONDS + LEASE_DURATION.total_seconds()
# `run_once` waits for read-backs that are due this soon, for at most this many rounds.
SOON = timedelta(seconds=10)
MAX_READBACK_ROUNDS = 25
# Seconds after a stop, and seconds since the last answer of the database, until the worker exits without it: another
# worker takes its patches when their leases have expired.
WAIT_FOR_DATABASE = 10.0
DATABASE_SILENCE = 5.0


@dataclass(slots=True)
class Worker:
    """One worker process. `run` returns soon after `stop` is set, once the pushes under way have finished."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    clients: ClientPool = field(default_factory=ClientPool)
    pusher: Pusher = field(init=False)
    heartbeat: HeartbeatSender = field(default_factory=HeartbeatSender)
    head_exporter: HeadExporter = field(default_factory=HeadExporter)
    readback_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    drift_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    pull_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    missed_tasks: ProjectTasks = field(default_factory=ProjectTasks)
    webhooks: WebhookSender = field(default_factory=WebhookSender)
    mirror: MirrorSync = field(init=False)
    readback_runner: ReadbackRunner = field(init=False)
    # Seconds that pushes under way may take after a stop, and the monotonic time when the stop was noticed.
    finish_timeout: float = FINISH_TIMEOUT
    stopped_at: float | None = None
    # When the database last answered, on the monotonic clock.
    database_seen_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.pusher = Pusher(self.clients)
        self.mirror = MirrorSync(self._get_read_client)
        self.readback_runner = ReadbackRunner(self._get_read_client, self.mirror.record_rate_limit)

    async def run(self) -> None:
        exit_task = asyncio.create_task(self._exit_without_database())
        try:
            await asyncio.gather(
                self._repeat(self.push, IDLE_DELAY),
                self._repeat(self.read_back, IDLE_DELAY),
                self._repeat(self.check_drift, DRIFT_INTERVAL),
                self._repeat(self.pull, IDLE_DELAY),
                self._repeat(self.find_missed_traces, MISSED_INTERVAL),
                self._repeat(self.mirror.list_new, LIST_INTERVAL),
                self._repeat(self.mirror.list_remaining, LIST_INTERVAL),
                self._repeat(self.mirror.reread, REREAD_INTERVAL),
                self._repeat(self.mirror.prune, PRUNE_INTERVAL),
                self._repeat(self.run_maintenance, MAINTENANCE_INTERVAL),
                self._repeat(self.apply_rules, RULES_INTERVAL),
                self._repeat(self.send_webhooks, WEBHOOK_INTERVAL),
                self._repeat(self.process_uploads, IDLE_DELAY),
            )
        finally:
            exit_task.cancel()
            await self._close()

    async def run_once(self) -> None:
        """Do everything that is due now, and wait a little to confirm what was just accepted."""
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
            while await self.apply_rules():
                pass
            while await self.process_uploads():
                pass
            while await self.pull() or self.pull_tasks.running:
                await self.pull_tasks.wait_any(IDLE_DELAY)
            while await self.push() or self.pusher.leased:
                await asyncio.sleep(0.01)
            for _ in range(MAX_READBACK_ROUNDS):
                await self.read_back()
                if not self.readback_tasks.running and not await sync_to_async(_has_readback_soon)():
                    break
                await asyncio.sleep(IDLE_DELAY)
            while await self.check_drift() or self.drift_tasks.running:
                await self.drift_tasks.wait_any(IDLE_DELAY)
            while await self.send_webhooks() or self.webhooks.tasks:
                await self.webhooks.wait_any(IDLE_DELAY)
        finally:
            await self._close()

    async def push(self) -> int:
        """Record finished pushes, then start as many new ones as there is room for. Returns the sum of both."""
        if self.stop.is_set():
            self.stopped_at = self.stopped_at or time.monotonic()
            self.pusher.stop()
        if not self.heartbeat.is_database_checked:
            await sync_to_async(self.heartbeat.send)()
        count = await self.pusher.run_round()
        self.database_seen_at = time.monotonic()
        return count

    async def read_back(self) -> int:
        """Start reading back accepted patches. Returns the number of patches."""
        return await self._start_readbacks(confirmation, self.readback_tasks)

    async def check_drift(self) -> int:
        """Start checking watched patches for drift, unless many pushes are under way. Returns the number of patches."""
        if len(self.pusher.leased) > leasing.MAX_LEASED_PER_PROJECT // 2:
            return 0
        return await self._start_readbacks(drift, self.drift_tasks)

    async def pull(self) -> int:
        """Start pulling requested traces with their spans. Returns the number of traces."""
        due = await sync_to_async(pull.select_due)([*self.pull_tasks.running, *self._unreadable_projects])
        for project, traces in _group_by_project(due):
            self.pull_tasks.start(project.pk, self._pull_traces(project, traces))
        await self.pull_tasks.wait_any(IDLE_DELAY)
        return len(due)

    async def find_missed_traces(self) -> int:
        """Start asking Laminar for traces that pushes did not find. Returns the number of traces."""
        busy = [*self.missed_tasks.running, *self._unreadable_projects]
        missed = await sync_to_async(missed_traces.select)(busy)
        for project, trace_ids in missed.items():
            self.missed_tasks.start(project.pk, self._wake_missed(project, trace_ids))
        return sum(map(len, missed.values()))

    async def apply_rules(self) -> int:
        """Apply due queue rules to new and changed traces. Returns the number of traces."""
        return await sync_to_async(apply_due_rules)()

    async def send_webhooks(self) -> int:
        """Start sending due webhook messages. Returns the number of messages."""
        count = await self.webhooks.start_due()
        await self.webhooks.wait_any(IDLE_DELAY)
        return count

    async def process_uploads(self) -> int:
        """Add the next batch of an upload to its queue. Returns the number of lines."""
        return await sync_to_async(process_uploads)()

    async def run_maintenance(self) -> int:
        """Send a heartbeat, resume projects with a new key, tidy up. Returns the number of leases released.

        A step that fails does not stop the others; the last error is raised after them.
        """
        await sync_to_async(close_old_connections)()
        await sync_to_async(self.heartbeat.send)()
        await self.clients.close_retired()
        count, failure = 0, None
        for step in (self._find_locked_projects, self.head_exporter.run, *MAINTENANCE_STEPS):
            try:
                count = await sync_to_async(step)() or 0
            except Exception as error:
                log.exception("Maintenance step %s failed; it will be retried", step)
                failure = error
        if failure is not None:
            raise failure
        return count

    async def _start_readbacks(self, target: ReadbackTarget, tasks: ProjectTasks) -> int:
        due = await sync_to_async(target.select_due)([*tasks.running, *self._unreadable_projects])
        for project, patches in _group_by_project(due):
            tasks.start(project.pk, self.readback_runner.run(target, project, patches))
        await tasks.wait_any(IDLE_DELAY)
        return len(due)

    async def _pull_traces(self, project: Project, traces: Sequence[Trace]) -> None:
        try:
            client = await self._get_read_client(project)
        except LaminarError as error:
            await sync_to_async(pull.reschedule_failed)(traces, str(error))
            return
        if client is None:
            await sync_to_async(pull.reschedule_failed)(traces, pull.KEY_CANNOT_READ)
            return
        try:
            await puller.pull_traces(client, project, traces)
        except LaminarError as error:
            self.mirror.record_rate_limit(project, error)

    async def _wake_missed(self, project: Project, trace_ids: Sequence[UUID]) -> None:
        try:
            client = await self._get_read_client(project)
            if client is not None:
                page = await client.fetch_metadata(trace_ids)
                await sync_to_async(outbox.wake_missed)(project, [trace_id for trace_id, _ in page.readable])
        except LaminarError as error:
            self.mirror.record_rate_limit(project, error)

    def _find_locked_projects(self) -> None:
        self.clients.find_locked()
        self.heartbeat.missing_master_keys = sorted(set(self.clients.locked.values()))

    @property
    def _unreadable_projects(self) -> list[int]:
        """Projects that this worker must not read now: they are rate limited, or their master key is missing here."""
        return [*self.mirror.rate_limited_projects, *self.clients.locked]

    async def _get_read_client(self, project: Project) -> AsyncLaminar | None:
        """Return the project's client, None if its key may not read. Raises LaminarError."""
        key = (await sync_to_async(get_keys_by_project)([project.pk])).get(project.pk)
        client = self.clients.get(key)
        return client if key is not None and key.can_read else None

    async def _repeat(self, task: Callable[[], Awaitable[int]], delay: float) -> None:
        """Run `task` until the worker stops: after `delay` seconds, or at once while a busy loop has work."""
        while not self.stop.is_set() or (task == self.push and self._has_pushes_to_finish()):
            try:
                count = await task()
            except Exception:
                # Nothing is lost: the rows are selected again by their lease or due time.
                summary = f"worker task {task.__name__}"
                log.exception("Worker task %s failed; it will be retried", task.__name__, extra={"summary": summary})
                count = 0
                # The database may have been restored to an earlier state since.
                self.heartbeat.is_database_checked = False
                await asyncio.sleep(1)
                await sync_to_async(close_old_connections)()
            if not count or task not in self._get_busy_tasks():
                await _wait_for_stop(self.stop, delay)

    def _get_busy_tasks(self) -> Sequence[Callable[[], Awaitable[int]]]:
        """The loops that run again at once while they have work."""
        return self.push, self.read_back, self.pull, self.process_uploads, self.mirror.prune, self.send_webhooks

    def _has_pushes_to_finish(self) -> bool:
        """Whether patches are leased whose results can still be recorded."""
        is_late = self.stopped_at is not None and time.monotonic() > self.stopped_at + self.finish_timeout
        return bool(self.pusher.leased) and not is_late

    async def _exit_without_database(self) -> None:
        """Once stopped, stop waiting for a database that does not answer: it may never do."""
        await self.stop.wait()
        await asyncio.sleep(WAIT_FOR_DATABASE)
        while time.monotonic() < self.database_seen_at + DATABASE_SILENCE:
            await asyncio.sleep(1)
        log.error("The database does not answer: the worker exits, and its leases expire")
        self.finish_timeout = 0.0
        deadline.end_all_waits()

    async def _close(self) -> None:
        for tasks in (self.readback_tasks, self.drift_tasks, self.pull_tasks, self.missed_tasks):
            await tasks.cancel_all()
        await self.mirror.close()
        await self.webhooks.finish()
        await self.clients.close()


async def _wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        pass


def _group_by_project(rows: Iterable[Row]) -> list[tuple[Project, list[Row]]]:
    ordered = sorted(rows, key=lambda row: row.project_id)
    groups = [list(group) for _, group in groupby(ordered, key=lambda row: row.project_id)]
    return [(group[0].project, group) for group in groups]


def _has_readback_soon() -> bool:
    return Patch.objects.filter(state=State.ACCEPTED, reads__lt=4, due_at__lte=clock.now() + SOON).exists()
