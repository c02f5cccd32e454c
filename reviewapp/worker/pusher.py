"""Push what waits: rows are leased together, sent side by side, and marked together.

What a row costs the database is shared by all that are leased or marked with it.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from asgiref.sync import sync_to_async

from reviewapp.delivery import breaker, leasing, results, schedule
from reviewapp.delivery.models import Patch
from reviewapp.delivery.results import NotSent, PushResult, TagsRefused
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar, EndpointNotFound, LaminarError, Retry
from reviewapp.lib import clock, failpoints
from reviewapp.worker.client_pool import ClientPool, get_keys_by_project

log = logging.getLogger(__name__)

# Rows that one worker holds at once, and pushes of one project that it has under way.
ROWS = 1_024
MAX_PUSHES_PER_PROJECT = 16
# In seconds: how long a round waits for a push to end, and then for others to end with it.
IDLE = 0.2
GATHER = 0.05
RENEW = 5.0
NO_TAGS = (
    "Laminar took the values, but no tags: the project's key is ingest-only, or that Laminar is older than tags."
    " An admin gives a full key; then send this again."
)


@dataclass(slots=True)
class Pusher:
    """The pushes of one worker."""

    clients: ClientPool
    # Every row that is leased and not marked yet.
    leased: dict[int, Patch] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    ended: list[PushResult] = field(default_factory=list)
    # Leased, but not begun: the project failed meanwhile, or the worker stops.
    left: list[Patch] = field(default_factory=list)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    turns: defaultdict[int, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(MAX_PUSHES_PER_PROJECT))
    )
    # Failures in a row by project, since rows of it were leased last.
    failures: Counter[int] = field(default_factory=Counter)
    # By project: when its Laminar answered last, and failures since then of patches that had failed before.
    answered: dict[int, float] = field(default_factory=dict)
    repeated: Counter[int] = field(default_factory=Counter)
    renewed: float = 0.0
    is_ending: bool = False

    async def run_round(self) -> int:
        """Mark the pushes that ended, start as many new ones as there is room for; how many of both."""
        ended = await self._settle()
        if self.leased and time.monotonic() > self.renewed + RENEW:
            await sync_to_async(leasing.renew_leases)(list(self.leased.values()))
            # Another worker's failures, or a person, may have held a project since its rows were leased.
            for project_id in await sync_to_async(breaker.find_blocked_projects)(
                {patch.project_id for patch in self.leased.values()}
            ):
                self.failures[project_id] = schedule.BREAKER_THRESHOLD
            self.renewed = time.monotonic()
        begun = 0 if self.is_ending else await self._begin()
        if self.leased:
            await self._wait()
        return ended + begun

    def end(self) -> None:
        """Begin no other push; those under way are finished."""
        self.is_ending = True

    async def _begin(self) -> int:
        patches = await sync_to_async(leasing.lease)(ROWS - len(self.leased), list(self.leased.values()))
        if patches:
            self.leased.update({patch.pk: patch for patch in patches})
            try:
                keys = await sync_to_async(get_keys_by_project)({patch.project_id for patch in patches})
            except Exception:
                # They are given back with the next round, and need not wait for the end of their leases.
                self.left += patches
                raise
            # Of what ended meanwhile the database knows nothing yet: a hold among it counts.
            unmarked = {sent.patch.project_id for sent in self.ended}
            for patch in patches:
                if patch.project_id not in unmarked:
                    self.failures[patch.project_id] = 0
                task = asyncio.create_task(self._push(patch, keys.get(patch.project_id)))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
        return len(patches)

    async def _settle(self) -> int:
        """Write down what became of the rows whose turn is over; how many."""
        self.has_news.clear()
        ended, left = self.ended, self.left
        self.ended, self.left = [], []
        try:
            if left:
                await sync_to_async(leasing.release_leases)(left)
            if ended:
                await sync_to_async(results.record_pushes)(ended)
                failpoints.hit("push.marked")
        except Exception:
            # Nothing was written: it is tried again with the next round, while the leases hold.
            self.ended, self.left = ended + self.ended, left + self.left
            raise
        for patch in [*left, *(sent.patch for sent in ended)]:
            del self.leased[patch.pk]
        return len(ended) + len(left)

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self.has_news.wait(), IDLE)
        except TimeoutError:
            return
        if len(self.leased) > len(self.ended):
            await asyncio.sleep(GATHER)

    async def _push(self, patch: Patch, key: LaminarKey | None) -> None:
        async with self.turns[patch.project_id]:
            if self.is_ending or self.failures[patch.project_id] >= schedule.BREAKER_THRESHOLD:
                self.left.append(patch)
            else:
                sent = self._count_outcome(await self.send(patch, key))
                # Not looked up before the push: it is another list by now.
                self.ended.append(sent)
        self.has_news.set()

    def _count_outcome(self, sent: PushResult) -> PushResult:
        """Count a push that failed, and say whether that tells anything about its project."""
        error, project_id = sent.error, sent.patch.project_id
        if error is not None and (error.retry is Retry.AFTER_KEY or error.retry_after is not None):
            self.failures[project_id] = schedule.BREAKER_THRESHOLD
        elif error is None or error.retry is not Retry.LATER:
            # A push that had begun before the project was given up brings nothing back.
            if self.failures[project_id] < schedule.BREAKER_THRESHOLD:
                self.failures[project_id] = 0
            self.answered[project_id], self.repeated[project_id] = time.monotonic(), 0
        elif self._is_its_own(sent.patch):
            return replace(sent, is_patch_specific=True)
        elif not isinstance(error, NotSent):
            self.failures[project_id] += 1
        return sent

    def _is_its_own(self, patch: Patch) -> bool:
        """Whether the patch fails where others do not, as far as this worker has seen."""
        answered = self.answered.get(patch.project_id)
        if not patch.failures or answered is None or time.monotonic() > answered + schedule.RECENT_ANSWER_SECONDS:
            return False
        self.repeated[patch.project_id] += 1
        return self.repeated[patch.project_id] % schedule.COUNT_EVERY_NTH_FAILURE > 0

    async def send(self, patch: Patch, key: LaminarKey | None) -> PushResult:
        """One push, however it ends. Raises nothing."""
        at, began = clock.now(), time.monotonic()
        error: LaminarError | None = None
        has_metadata = False
        try:
            client = self.clients.get(key)
            # A worker that was frozen wakes with a lease that another may hold by now.
            if patch.leased_until is None or patch.leased_until <= clock.now():
                raise NotSent("The worker was held up and sent nothing. It is sent again.")
            failpoints.hit("push.before_send")
            if not patch.is_partially_sent:
                await client.push_metadata(patch.trace_id, patch.values)
                has_metadata = True
                failpoints.hit("push.sent")
            if patch.has_tags_to_send:
                await _tag(client, patch)
        except LaminarError as caught:
            error = caught
        except Exception:
            log.exception("delivery %s was not sent", patch.pk)
            error = NotSent("A fault of ours kept this from being sent; the worker's log tells it. It is tried again.")
        return PushResult(
            patch, key, at, time.monotonic() - began, error, is_partial=has_metadata and error is not None
        )


async def _tag(client: AsyncLaminar, patch: Patch) -> None:
    """Put the patch's tags on the trace's top span. Raises LaminarError."""
    try:
        await client.tag(patch.tag_names, trace_id=patch.trace_id)
    except EndpointNotFound as error:
        # It would hold the project's pushes, whose values this key and this Laminar do take.
        raise TagsRefused(NO_TAGS, status=error.status, answer=error.response_text) from None
