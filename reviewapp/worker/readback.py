"""Look at the traces of patches in Laminar, one query for many, and hand over what stands there."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from asgiref.sync import sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.delivery.confirmation import BATCH
from reviewapp.delivery.models import Patch
from reviewapp.laminar import AsyncLaminar, LaminarError, TimedOut
from reviewapp.lib import failpoints
from reviewapp.worker.batch_size import TOO_MUCH, Portions


class Looking(Protocol):
    """Which patches are looked at, and what comes of it: `confirming` and `watching` are such modules."""

    def take(self, busy: Collection[int] = ()) -> list[Patch]: ...
    def set_aside(self, patches: Sequence[Patch]) -> None: ...
    def note_error(self, project: Project, patches: Sequence[Patch], error: str) -> None: ...
    def note_unreadable(self, patch: Patch, error: str) -> None: ...
    def mark_read(self, patches: Sequence[Patch], found: Mapping[UUID, str], seconds: float) -> None: ...


@dataclass(slots=True)
class Looks:
    """The looks of one worker.

    `reader` gives a project's client, None when its key may not read; `note` heeds what an error asks for.
    """

    reader: Callable[[Project], Awaitable[AsyncLaminar | None]]
    note: Callable[[Project, LaminarError], None]
    portions: Portions = field(default_factory=lambda: Portions(BATCH))

    async def at(self, looking: Looking, project: Project, patches: Sequence[Patch]) -> None:
        """Read the traces of one project's patches, as many at once as its Laminar answers for."""
        left = list(patches)
        try:
            client = await self.reader(project)
            if client is None:
                await sync_to_async(looking.set_aside)(left)
                return
            while left:
                part = left[: self.portions.of(project)]
                if await self._read(client, looking, project, part):
                    del left[: len(part)]
        except LaminarError as error:
            self.note(project, error)
            await sync_to_async(looking.note_error)(project, left, str(error))

    async def _read(self, client: AsyncLaminar, looking: Looking, project: Project, part: Sequence[Patch]) -> bool:
        """One query; False when it is to be made of fewer. A patch that is bad by itself waits long, the others not."""
        began = time.monotonic()
        try:
            found = await client.metadata_of(list({patch.trace_id for patch in part}))
        except TOO_MUCH as error:
            self.portions.halve(project, len(part))
            if len(part) == 1:
                await sync_to_async(looking.note_unreadable)(part[0], str(error))
            # Where every answer is like this, or none comes, each query has its pause.
            if len(part) == 1 or isinstance(error, TimedOut):
                raise
            return False
        failpoints.reach("read.before_mark")
        await sync_to_async(looking.mark_read)(part, found, time.monotonic() - began)
        self.portions.grow(project)
        return True
