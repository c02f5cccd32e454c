"""How far a queue has come."""

from dataclasses import dataclass

from django.db.models import Count

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.queues.models import ItemState, Queue, QueueItem

_COUNTS = "SELECT state, COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s GROUP BY state"


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


def progress_by_queue(project: Project) -> list[tuple[Queue, Progress]]:
    """The project's queues by name, each with its progress; two queries, however many there are."""
    items = QueueItem.objects.filter(queue__project=project).order_by()
    counts = {
        (queue, state): count for queue, state, count in items.values_list("queue", "state").annotate(Count("pk"))
    }
    return [
        (queue, Progress(*(counts.get((queue.pk, state), 0) for state in ItemState.values)))
        for queue in Queue.objects.filter(project=project).order_by("name")
    ]


def queue_progress(queue: Queue) -> Progress:
    counts = dict(sql.fetch_rows(_COUNTS, queue.pk))
    return Progress(*(counts.get(state, 0) for state in ItemState.values))
