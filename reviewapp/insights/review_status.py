"""How far the review of each of a few traces has come, for a page of the list of traces."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Prefetch

from reviewapp.accounts.models import Project
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review

# Queues that one trace is told to be in; few are in more than one.
MAX_QUEUES = 4


def get_review_status(project: Project, trace_ids: Iterable[UUID]) -> list[tuple[UUID, list[QueueItem], int]]:
    """Each trace with its queue items, the newest few first, and how many more there are.

    Each item has its latest review in `latest`, a list of one or none. Two queries, however many traces.
    """
    wanted = list(dict.fromkeys(trace_ids))
    latest = Review.objects.filter(is_latest=True).select_related("patch")
    items = QueueItem.objects.filter(queue__project=project, trace_id__in=wanted).order_by("-pk")
    items = items.select_related("queue", "claimed_by").defer("queue__guideline", "queue__criteria")
    found: dict[UUID, list[QueueItem]] = {trace_id: [] for trace_id in wanted}
    for item in items.prefetch_related(Prefetch("reviews", latest, to_attr="latest")):
        found[item.trace_id].append(item)
    return [
        (trace_id, of_trace[:MAX_QUEUES], max(0, len(of_trace) - MAX_QUEUES)) for trace_id, of_trace in found.items()
    ]
