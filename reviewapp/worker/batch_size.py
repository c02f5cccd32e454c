"""How many traces a project's Laminar is asked for at once: fewer after an answer that was too much, or unreadable."""

from dataclasses import dataclass, field

from reviewapp.accounts.models import Project
from reviewapp.laminar import RequestRefused, RequestTooLarge, TimedOut, UnexpectedResponse

# Errors that may mean: it is too much at once, or one of the traces is bad.
OVERSIZE_ERRORS = (RequestTooLarge, RequestRefused, UnexpectedResponse, TimedOut)


@dataclass(slots=True)
class BatchSizes:
    """`most` is how many it usually is; `sizes` has, by the project's primary key, where it is fewer."""

    max_size: int
    sizes: dict[int, int] = field(default_factory=dict)

    def get(self, project: Project) -> int:
        return self.sizes.get(project.pk, self.max_size)

    def halve(self, project: Project, asked: int) -> None:
        """Ask for half as many next time, so that one that is bad comes to be asked for by itself."""
        self.sizes[project.pk] = max(asked // 2, 1)

    def grow(self, project: Project) -> None:
        """Ask for twice as many again: an answer came."""
        self.sizes[project.pk] = min(self.get(project) * 2, self.max_size)
