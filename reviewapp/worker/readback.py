"""Look at the traces of patches in Laminar, one query for many, and hand over what stands there."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from asgiref.sync import sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.delivery.confirmation import BATCH_SIZE
from reviewapp.delivery.models import Patch
from reviewapp.laminar import AsyncLaminar, LaminarError, TimedOut
from reviewapp.lib import failpoints
from reviewapp.worker.batch_size import OVERSIZE_ERRORS, BatchSizes


class ReadbackTarget(Protocol):
    """Which patches are looked at, and what comes of it: `confirming` and `watching` are such modules."""

    def select_due(self, busy: Collection[int] = ()) -> list[Patch]: ...
    def reschedule(self, patches: Sequence[Patch]) -> None: ...
    def reschedule_failed(self, project: Project, patches: Sequence[Patch], error: str) -> None: ...
    def reschedule_unreadable(self, patch: Patch, error: str) -> None: ...
    def record_readback(self, patches: Sequence[Patch], found: Mapping[UUID, str], seconds: float) -> None: ...


@dataclass(slots=True)
class ReadbackRunner:
    """The looks of one worker.

    `reader` gives a project's client, None when its key may not read; `note` heeds what an error asks for.
    """

    reader: Callable[[Project], Awaitable[AsyncLaminar | None]]
    note: Callable[[Project, LaminarError], None]
    portions: BatchSizes = field(default_factory=lambda: BatchSizes(BATCH_SIZE))

    async def at(self, looking: ReadbackTarget, project: Project, patches: Sequence[Patch]) -> None:
        """Read the traces of one project's patches, as many at once as its Laminar answers for."""
        left = list(patches)
        try:
            client = await self.reader(project)
            if client is None:
                await sync_to_async(looking.reschedule)(left)
                return
            while left:
                part = left[: self.portions.get(project)]
                if await self._read(client, looking, project, part):
                    del left[: len(part)]
        except LaminarError as error:
            self.note(project, error)
            await sync_to_async(looking.reschedule_failed)(project, left, str(error))

    async def _read(
        self, client: AsyncLaminar, looking: ReadbackTarget, project: Project, part: Sequence[Patch]
    ) -> bool:
        """One query; False when it is to be made of fewer. A patch that is bad by itself waits long, the others not."""
        began = time.monotonic()
        try:
            found = await client.fetch_metadata(list({patch.trace_id for patch in part}))
        except OVERSIZE_ERRORS as error:
            self.portions.halve(project, len(part))
            if len(part) == 1:
                await sync_to_async(looking.reschedule_unreadable)(part[0], str(error))
            # Where every answer is like this, or none comes, each query has its pause.
            if len(part) == 1 or isinstance(error, TimedOut):
                raise
            return False
        failpoints.hit("read.before_mark")
        await sync_to_async(looking.record_readback)(part, found, time.monotonic() - began)
        self.portions.grow(project)
        return True
