"""Progress of queues."""

from dataclasses import dataclass

from django.db.models import Count

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.queues import queries
from reviewapp.queues.models import ItemState, Queue, QueueItem

# Queues on one page: each of them counts its items.
PAGE_SIZE = 50


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


def progress_by_queue(
    project: Project, *, is_archived: bool = False, page: int = 1
) -> tuple[list[tuple[Queue, Progress]], bool]:
    """Return a page of the project's active or archived queues by name, each with its progress, in two queries.

    And whether there are more pages.
    """
    queues = Queue.objects.filter(project=project, archived_at__isnull=not is_archived).order_by("name", "pk")
    # The guideline may be long, and no list shows it.
    queue_page = list(queues.defer("guideline")[(page - 1) * PAGE_SIZE : page * PAGE_SIZE + 1])
    items = QueueItem.objects.filter(queue__in=[queue.pk for queue in queue_page[:PAGE_SIZE]]).order_by()
    counts = {
        (queue, state): count for queue, state, count in items.values_list("queue", "state").annotate(Count("pk"))
    }
    rows = [
        (queue, Progress(*(counts.get((queue.pk, state), 0) for state in ItemState.values)))
        for queue in queue_page[:PAGE_SIZE]
    ]
    return rows, len(queue_page) > PAGE_SIZE


def queue_progress(queue: Queue) -> Progress:
    counts = dict(sql.fetch_rows(queries.COUNT_BY_STATE, queue.pk))
    return Progress(*(counts.get(state, 0) for state in ItemState.values))
