"""The review status of a few traces, for one page of the trace list."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Prefetch

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.visibility import select_visible

# Queue items shown per trace; few traces are in more than one queue.
MAX_ITEMS = 4


def get_review_status(
    project: Project, viewer: User, trace_ids: Iterable[UUID]
) -> list[tuple[UUID, list[QueueItem], int]]:
    """Each trace with its newest queue items and the number of further ones.

    Each item has its latest reviews that the viewer may see in `latest`. As many queries, however many traces.
    """
    by_trace: dict[UUID, list[QueueItem]] = {trace_id: [] for trace_id in trace_ids}
    latest = select_visible(project, viewer).filter(is_latest=True).select_related("patch")
    items = QueueItem.objects.filter(queue__project=project, trace_id__in=list(by_trace)).order_by("-pk")
    items = items.select_related("queue", "claimed_by").defer("queue__guideline", "queue__criteria")
    for item in items.prefetch_related(Prefetch("reviews", latest, to_attr="latest")):
        by_trace[item.trace_id].append(item)
    return [
        (trace_id, trace_items[:MAX_ITEMS], max(0, len(trace_items) - MAX_ITEMS))
        for trace_id, trace_items in by_trace.items()
    ]
