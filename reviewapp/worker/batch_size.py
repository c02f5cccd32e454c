"""How many traces to request from a project's Laminar at once: fewer after an oversized or unreadable response."""

from dataclasses import dataclass, field

from reviewapp.accounts.models import Project
from reviewapp.laminar import RequestRefused, RequestTooLarge, TimedOut, UnexpectedResponse

# Errors that can mean that the batch is too large, or that one trace in it is bad.
OVERSIZE_ERRORS = (RequestTooLarge, RequestRefused, UnexpectedResponse, TimedOut)


@dataclass(slots=True)
class BatchSizes:
    """Batch sizes by project primary key; a project without an entry uses `max_size`."""

    max_size: int
    sizes: dict[int, int] = field(default_factory=dict)

    def get(self, project: Project) -> int:
        return self.sizes.get(project.pk, self.max_size)

    def halve(self, project: Project, batch_size: int) -> None:
        """Request half as many next time, so that a bad trace is eventually requested alone."""
        self.sizes[project.pk] = max(batch_size // 2, 1)

    def grow(self, project: Project) -> None:
        """Double the batch size after a usable response, up to `max_size`."""
        self.sizes[project.pk] = min(self.get(project) * 2, self.max_size)
