"""How many traces a project's Laminar is asked for at once: fewer after an answer that was too much, or unreadable."""

from dataclasses import dataclass, field

from reviewapp.accounts.models import Project
from reviewapp.laminar import Refused, TimedOut, TooLarge, UnexpectedAnswer

# Errors that may mean: it is too much at once, or one of the traces is bad.
TOO_MUCH = (TooLarge, Refused, UnexpectedAnswer, TimedOut)


@dataclass(slots=True)
class Portions:
    """`most` is how many it usually is; `sizes` has, by the project's primary key, where it is fewer."""

    most: int
    sizes: dict[int, int] = field(default_factory=dict)

    def of(self, project: Project) -> int:
        return self.sizes.get(project.pk, self.most)

    def halve(self, project: Project, asked: int) -> None:
        """Ask for half as many next time, so that one that is bad comes to be asked for by itself."""
        self.sizes[project.pk] = max(asked // 2, 1)

    def grow(self, project: Project) -> None:
        """Ask for twice as many again: an answer came."""
        self.sizes[project.pk] = min(self.of(project) * 2, self.most)
