"""Look at the traces of patches in Laminar, one query for many, and hand over what stands there."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from asgiref.sync import sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch
from reviewapp.laminar import AsyncLaminar, LaminarError
from reviewapp.lib import failpoints


class Looking(Protocol):
    """Which patches are looked at, and what comes of it: `confirming` and `watching` are such modules."""

    def take(self, busy: Collection[int] = ()) -> list[Patch]: ...
    def set_aside(self, patches: Sequence[Patch]) -> None: ...
    def note_error(self, project: Project, patches: Sequence[Patch], error: str) -> None: ...
    def mark_read(self, patches: Sequence[Patch], found: Mapping[UUID, str], seconds: float) -> None: ...


async def look_at(
    looking: Looking,
    project: Project,
    patches: Sequence[Patch],
    reader: Callable[[Project], Awaitable[AsyncLaminar | None]],
) -> None:
    """Read the traces of one project's patches; `reader` gives its client, None when its key may not read."""
    began = time.monotonic()
    try:
        client = await reader(project)
        if client is None:
            await sync_to_async(looking.set_aside)(patches)
            return
        rows = await client.traces(list({patch.trace_id for patch in patches}))
    except LaminarError as error:
        await sync_to_async(looking.note_error)(project, patches, str(error))
        return
    found = {row.id: row.metadata for row in rows}
    failpoints.reach("read.before_mark")
    await sync_to_async(looking.mark_read)(patches, found, time.monotonic() - began)
