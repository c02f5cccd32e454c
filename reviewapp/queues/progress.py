"""Progress of queues."""

from dataclasses import dataclass

from django.db.models import Count

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.queues import queries
from reviewapp.queues.models import ItemState, Queue, QueueItem


@dataclass(frozen=True, slots=True)
class Progress:
    """A queue's items counted by state."""

    pending: int
    completed: int
    skipped: int

    @property
    def total(self) -> int:
        return self.pending + self.completed + self.skipped

    @property
    def percent(self) -> int:
        """The share of items that are completed or skipped, from 0 to 100."""
        return 100 * (self.completed + self.skipped) // self.total if self.total else 0


def progress_by_queue(project: Project, *, is_archived: bool = False) -> list[tuple[Queue, Progress]]:
    """Return the project's active or archived queues by name, each with its progress, in two queries."""
    queues = Queue.objects.filter(project=project, archived_at__isnull=not is_archived)
    items = QueueItem.objects.filter(queue__in=queues).order_by()
    counts = {
        (queue, state): count for queue, state, count in items.values_list("queue", "state").annotate(Count("pk"))
    }
    return [
        (queue, Progress(*(counts.get((queue.pk, state), 0) for state in ItemState.values)))
        for queue in queues.order_by("name")
    ]


def queue_progress(queue: Queue) -> Progress:
    counts = dict(sql.fetch_rows(queries.COUNT_BY_STATE, queue.pk))
    return Progress(*(counts.get(state, 0) for state in ItemState.values))
