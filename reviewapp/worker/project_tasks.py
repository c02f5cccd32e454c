"""Work that is done for each project by itself: one that never answers holds up none of the others."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ProjectTasks:
    """Errands under way side by side, one at a time per project."""

    under_way: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    def start(self, project_id: int, errand: Coroutine[Any, Any, None]) -> None:
        """Begin an errand for a project that has none under way."""
        task = self.under_way[project_id] = asyncio.create_task(errand)
        task.add_done_callback(lambda ended: self._end(project_id, ended))

    async def wait_any(self, seconds: float) -> None:
        """Wait until one of them ends, or as long as told."""
        if self.under_way:
            await asyncio.wait(self.under_way.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def wait_all(self) -> None:
        """Wait for all of them."""
        while self.under_way:
            await asyncio.wait(self.under_way.values())

    async def cancel_all(self) -> None:
        """End them where they are: the rows are taken up again by their due times."""
        for task in self.under_way.values():
            task.cancel()
        await self.wait_all()

    def _end(self, project_id: int, ended: asyncio.Task[None]) -> None:
        del self.under_way[project_id]
        if not ended.cancelled() and (fault := ended.exception()) is not None:
            log.error("an errand for project %s failed and is tried again", project_id, exc_info=fault)
