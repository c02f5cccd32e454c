"""Run one task per project at a time, so that a Laminar that never answers delays no other project."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ProjectTasks:
    """Tasks running side by side, at most one per project, by project primary key."""

    running: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    def start(self, project_id: int, work: Coroutine[Any, Any, None]) -> None:
        """Start a task for a project that has none running."""
        task = self.running[project_id] = asyncio.create_task(work)
        task.add_done_callback(lambda finished: self._remove(project_id, finished))

    async def wait_any(self, seconds: float) -> None:
        """Wait until one task ends, `seconds` at most."""
        if self.running:
            await asyncio.wait(self.running.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def wait_all(self) -> None:
        while self.running:
            await asyncio.wait(self.running.values())

    async def cancel_all(self) -> None:
        """Cancel all tasks. Nothing is lost: their rows become due again."""
        for task in self.running.values():
            task.cancel()
        await self.wait_all()

    def _remove(self, project_id: int, task: asyncio.Task[None]) -> None:
        del self.running[project_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(
                "Worker task for project %s failed; it will be retried", project_id,
                exc_info=error, extra={"summary": f"project task {project_id}"},
            )  # fmt: skip
