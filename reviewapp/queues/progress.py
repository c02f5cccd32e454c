"""How far a queue has come."""

from dataclasses import dataclass

from django.db.models import Count

from reviewapp.queues.models import ItemState, Queue, QueueItem


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of a queue's items by state."""

    pending: int
    completed: int
    skipped: int

    @property
    def total(self) -> int:
        return self.pending + self.completed + self.skipped

    @property
    def percent(self) -> int:
        """How much needs nobody any more, 0 to 100."""
        return 100 * (self.completed + self.skipped) // self.total if self.total else 0


def progress_of(queue: Queue) -> Progress:
    counts = dict(QueueItem.objects.filter(queue=queue).order_by().values_list("state").annotate(Count("pk")))
    return Progress(*(counts.get(state, 0) for state in ItemState.values))
