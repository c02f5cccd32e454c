"""Read the metadata of pushed patches back from Laminar, many traces per query, and record what it shows."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import OperationalError

from reviewapp.accounts.models import Project
from reviewapp.delivery.confirmation import BATCH_SIZE
from reviewapp.delivery.models import Patch
from reviewapp.laminar import AsyncLaminar, LaminarError, TimedOut
from reviewapp.lib import failpoints
from reviewapp.traces.metadata import merge
from reviewapp.worker.batch_size import OVERSIZE_ERRORS, BatchSizes

log = logging.getLogger(__name__)


class ReadbackTarget(Protocol):
    """Selects patches to read back and records the results: the modules `confirmation` and `drift`."""

    def select_due(self, busy: Collection[int] = ()) -> list[Patch]: ...
    def reschedule(self, patches: Sequence[Patch]) -> None: ...
    def reschedule_failed(self, project: Project, patches: Sequence[Patch], error: str) -> None: ...
    def reschedule_unreadable(self, patch: Patch, error: str) -> None: ...
    def record_internal_error(self, patch: Patch) -> None: ...
    def record_readback(self, patches: Sequence[Patch], metadata: Mapping[UUID, str], seconds: float) -> None: ...


@dataclass(slots=True)
class ReadbackRunner:
    """Runs the read-backs of one worker.

    `get_client` returns a project's client, None if its key may not read; `record_rate_limit` handles a 429.
    """

    get_client: Callable[[Project], Awaitable[AsyncLaminar | None]]
    record_rate_limit: Callable[[Project, LaminarError], None]
    batch_sizes: BatchSizes = field(default_factory=lambda: BatchSizes(BATCH_SIZE))

    async def run(self, target: ReadbackTarget, project: Project, patches: Sequence[Patch]) -> None:
        """Read back one project's patches, in batches as large as its Laminar can answer."""
        remaining = list(patches)
        try:
            client = await self.get_client(project)
            if client is None:
                await sync_to_async(target.reschedule)(remaining)
                return
            while remaining:
                batch = remaining[: self.batch_sizes.get(project)]
                if await self._read_batch(client, target, project, batch):
                    del remaining[: len(batch)]
        except LaminarError as error:
            self.record_rate_limit(project, error)
            await sync_to_async(target.reschedule_failed)(project, remaining, str(error))

    async def _read_batch(
        self, client: AsyncLaminar, target: ReadbackTarget, project: Project, batch: Sequence[Patch]
    ) -> bool:
        """Run one query. Returns False to retry with a smaller batch.

        A patch whose trace cannot be read is rescheduled with a long delay, so that it does not delay the others.
        """
        started_at = time.monotonic()
        try:
            page = await client.fetch_metadata(list({patch.trace_id for patch in batch}))
        except OVERSIZE_ERRORS as error:
            self.batch_sizes.halve(project, len(batch))
            if len(batch) == 1:
                await sync_to_async(target.reschedule_unreadable)(batch[0], str(error))
            # Stop here if every response is like this, or none comes, so that queries are spaced out.
            if len(batch) == 1 or isinstance(error, TimedOut):
                raise
            return False
        failpoints.hit("read.before_mark")
        errors: dict[UUID | None, str] = {
            row.id: f"The trace could not be read: {row.reason}." for row in page.unreadable
        }
        for trace_id, text in page.readable:
            # A malformed text says nothing about our values: it neither confirms them nor shows that they changed.
            if problem := merge.find_problem(text):
                errors[trace_id] = f"The trace's metadata could not be read: {problem}."
        for patch in batch:
            if patch.trace_id in errors:
                await sync_to_async(target.reschedule_unreadable)(patch, errors[patch.trace_id])
        readable = [patch for patch in batch if patch.trace_id not in errors]
        if readable:
            await sync_to_async(_record)(target, readable, dict(page.readable), time.monotonic() - started_at)
        self.batch_sizes.grow(project)
        return True


def _record(target: ReadbackTarget, batch: Sequence[Patch], metadata: Mapping[UUID, str], seconds: float) -> None:
    """Record a batch; if that fails, each patch by itself, so that a bad one holds up no other."""
    try:
        target.record_readback(batch, metadata, seconds)
    except OperationalError:
        raise
    except Exception:
        if len(batch) == 1:
            log.exception("Could not record the read-back of delivery %s", batch[0].pk)
            target.record_internal_error(batch[0])
        else:
            for patch in batch:
                _record(target, [patch], metadata, seconds)
