"""Push waiting patches: lease them in batches, send them concurrently, record the results in batches.

Batching shares the cost of a lease and of an update among all its rows.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from asgiref.sync import sync_to_async

from reviewapp.delivery import breaker, leasing, outbox, results, schedule
from reviewapp.delivery.models import Patch
from reviewapp.delivery.results import NotSent, PushResult, TagsRefused, Unreadable
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar, EndpointNotFound, LaminarError, Retry
from reviewapp.lib import clock, failpoints
from reviewapp.worker.client_pool import ClientPool, get_keys_by_project

log = logging.getLogger(__name__)

# Patches that one worker leases at once, and pushes of one project that it runs at once.
MAX_LEASED = 1_024
MAX_PUSHES_PER_PROJECT = 16
# Seconds that a round waits for a push to finish, and then for others to finish with it.
ROUND_TIMEOUT = 0.2
GATHER_DELAY = 0.05
# Seconds between two renewals of the leases.
RENEW_INTERVAL = 5.0
TAGS_REFUSED_MESSAGE = (
    "Laminar accepted the metadata but not the tags: the project's key is ingest-only, or this Laminar version does"
    " not support tags. Ask an admin to add a full key, then retry."
)
LEASE_EXPIRED_MESSAGE = "Not sent: the worker was delayed and its lease expired. The delivery will be retried."
INTERNAL_ERROR_MESSAGE = "Not sent because of an internal error. Details are in the worker's log. It will be retried."


@dataclass(slots=True)
class Pusher:
    """The pushes of one worker."""

    clients: ClientPool
    # Leased patches whose results are not recorded yet, by primary key.
    leased: dict[int, Patch] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    finished: list[PushResult] = field(default_factory=list)
    # Leased but never sent: the project failed in the meantime, or the worker is stopping.
    unsent: list[Patch] = field(default_factory=list)
    has_finished: asyncio.Event = field(default_factory=asyncio.Event)
    push_slots: defaultdict[int, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(MAX_PUSHES_PER_PROJECT))
    )
    # By project: consecutive failures since its patches were last leased.
    failures: Counter[int] = field(default_factory=Counter)
    # By project: the monotonic time of Laminar's last answer, and failures since then of patches that failed before.
    answered_at: dict[int, float] = field(default_factory=dict)
    repeat_failures: Counter[int] = field(default_factory=Counter)
    renewed_at: float = 0.0
    is_stopping: bool = False

    async def run_round(self) -> int:
        """Record finished pushes, then start as many new ones as there is room for. Returns the sum of both."""
        recorded = await self._record_finished()
        if self.leased and time.monotonic() > self.renewed_at + RENEW_INTERVAL:
            await sync_to_async(leasing.renew_leases)(list(self.leased.values()))
            # Another worker's failures, or a person, can have stopped a project since its patches were leased.
            for project_id in await sync_to_async(breaker.find_blocked_projects)(
                {patch.project_id for patch in self.leased.values()}
            ):
                self.failures[project_id] = schedule.BREAKER_THRESHOLD
            self.renewed_at = time.monotonic()
        started = 0 if self.is_stopping else await self._start_pushes()
        if self.leased:
            await self._wait_for_results()
        return recorded + started

    def stop(self) -> None:
        """Start no more pushes; those under way are finished."""
        self.is_stopping = True

    async def _start_pushes(self) -> int:
        patches = await sync_to_async(leasing.lease)(
            MAX_LEASED - len(self.leased), list(self.leased.values()), self.clients.locked
        )
        if patches:
            self.leased.update({patch.pk: patch for patch in patches})
            try:
                keys = await sync_to_async(get_keys_by_project)({patch.project_id for patch in patches})
            except Exception:
                # Release them in the next round, so that they need not wait until their leases expire.
                self.unsent += patches
                raise
            # The database does not know these results yet; one of them may have stopped its project.
            unrecorded = {result.patch.project_id for result in self.finished}
            for patch in patches:
                if self.clients.is_locked(keys.get(patch.project_id)):
                    # Another worker can send it. It is not leased here again.
                    self.unsent.append(patch)
                    continue
                if patch.project_id not in unrecorded:
                    self.failures[patch.project_id] = 0
                task = asyncio.create_task(self._push(patch, keys.get(patch.project_id)))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
        return len(patches)

    async def _record_finished(self) -> int:
        """Record finished pushes and release unsent patches. Returns the number of patches."""
        self.has_finished.clear()
        finished, unsent = self.finished, self.unsent
        self.finished, self.unsent = [], []
        try:
            if unsent:
                await sync_to_async(leasing.release_leases)(unsent)
            if finished:
                await sync_to_async(results.record_pushes)(finished)
                failpoints.hit("push.marked")
        except Exception:
            # Nothing was written: retry in the next round, while the leases are valid.
            self.finished, self.unsent = finished + self.finished, unsent + self.unsent
            raise
        for patch in [*unsent, *(result.patch for result in finished)]:
            del self.leased[patch.pk]
        return len(finished) + len(unsent)

    async def _wait_for_results(self) -> None:
        try:
            await asyncio.wait_for(self.has_finished.wait(), ROUND_TIMEOUT)
        except TimeoutError:
            return
        if len(self.leased) > len(self.finished):
            await asyncio.sleep(GATHER_DELAY)

    async def _push(self, patch: Patch, key: LaminarKey | None) -> None:
        async with self.push_slots[patch.project_id]:
            if self.is_stopping or self.failures[patch.project_id] >= schedule.BREAKER_THRESHOLD:
                self.unsent.append(patch)
            else:
                result = self._count_outcome(await self.send(patch, key))
                # Look up the list only now: `_record_finished` may have replaced it during the push.
                self.finished.append(result)
        self.has_finished.set()

    def _count_outcome(self, result: PushResult) -> PushResult:
        """Count a failed push against its project, unless the failure is specific to the patch."""
        error, project_id = result.error, result.patch.project_id
        if error is not None and (error.retry is Retry.AFTER_KEY or error.retry_after is not None):
            self.failures[project_id] = schedule.BREAKER_THRESHOLD
        elif error is None or error.retry is not Retry.LATER:
            # A push that started before the project was stopped does not resume it.
            if self.failures[project_id] < schedule.BREAKER_THRESHOLD:
                self.failures[project_id] = 0
            self.answered_at[project_id], self.repeat_failures[project_id] = time.monotonic(), 0
        elif self._is_patch_specific(result.patch):
            return replace(result, is_patch_specific=True)
        elif not isinstance(error, NotSent):
            self.failures[project_id] += 1
        return result

    def _is_patch_specific(self, patch: Patch) -> bool:
        """Whether the patch fails while others of its project succeed, as far as this worker has seen."""
        answered_at = self.answered_at.get(patch.project_id)
        if not patch.failures or answered_at is None:
            return False
        if time.monotonic() > answered_at + schedule.RECENT_ANSWER_SECONDS:
            return False
        self.repeat_failures[patch.project_id] += 1
        return self.repeat_failures[patch.project_id] % schedule.COUNT_EVERY_NTH_FAILURE > 0

    async def send(self, patch: Patch, key: LaminarKey | None) -> PushResult:
        """Push one patch. Raises nothing: the result has the error."""
        started_at, started = clock.now(), time.monotonic()
        error: LaminarError | None = None
        has_metadata = False
        try:
            if not patch.is_readable:
                raise Unreadable(outbox.UNREADABLE_MESSAGE)
            client = self.clients.get(key)
            # A worker that was frozen resumes with a lease that another worker may have taken over.
            if clock.monotonic() >= patch.lease_deadline:
                raise NotSent(LEASE_EXPIRED_MESSAGE)
            failpoints.hit("push.before_send")
            if not patch.is_partially_sent:
                await client.push_metadata(patch.trace_id, patch.values)
                has_metadata = True
                failpoints.hit("push.sent")
            if patch.has_tags_to_send:
                await _push_tags(client, patch)
        except LaminarError as caught:
            error = caught
        except Exception:
            summary = f"send {patch.project_id}"
            log.exception("Could not send delivery %s; it will be retried", patch.pk, extra={"summary": summary})
            error = NotSent(INTERNAL_ERROR_MESSAGE)
        seconds, is_partial = time.monotonic() - started, has_metadata and error is not None
        return PushResult(patch, key, started_at, seconds, error, is_partial=is_partial)


async def _push_tags(client: AsyncLaminar, patch: Patch) -> None:
    """Put the patch's tags on the trace's top span. Raises LaminarError."""
    try:
        await client.tag(patch.tag_names, trace_id=patch.trace_id)
    except EndpointNotFound as error:
        # As it is, this error would open the project's breaker, though this key and Laminar accept metadata.
        raise TagsRefused(TAGS_REFUSED_MESSAGE, status=error.status, answer=error.response_text) from None
