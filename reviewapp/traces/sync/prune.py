"""Delete unqueued traces from the mirror when they are too old, or when there are too many of them."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import watermark

# Traces that are deleted in one transaction: few, so that saves do not wait.
BATCH_SIZE = 100
_MICROSECOND = timedelta(microseconds=1)


def get_cutoff(project: Project) -> datetime:
    """Unqueued traces that started before this time are to be pruned."""
    oldest = clock.now() - timedelta(days=settings.MIRROR_DAYS)
    first, last = (Trace.objects.order_by(order).values_list("pk", flat=True).first() or 0 for order in ("pk", "-pk"))
    if last - first < settings.MIRROR_TRACES:
        # All projects together are below the limit: no need to count.
        return oldest
    start_times = Trace.objects.unqueued(project).order_by("-start_time").values_list("start_time", flat=True)
    surplus = list(start_times[settings.MIRROR_TRACES : settings.MIRROR_TRACES + 1])
    return max([oldest, *(start_time + _MICROSECOND for start_time in surplus if start_time is not None)])


def prune(project: Project, before: datetime, exempt: Exists) -> int:
    """Delete the oldest traces that started before this time, and all their data, one batch. Returns their number.

    Skips traces that are queued or reviewed, that have unconfirmed values of ours, or for which `exempt` holds.
    """
    with transaction.atomic():
        candidates = Trace.objects.unqueued(project).filter(start_time__lt=before, unconfirmed="{}").exclude(exempt)
        pks = list(candidates.order_by("start_time").values_list("pk", flat=True)[:BATCH_SIZE])
        # Check again under the lock: somebody may have queued one meanwhile.
        unchanged = Trace.objects.unqueued(project).filter(pk__in=pks, unconfirmed="{}")
        traces = list(unchanged.only("start_time").select_for_update(skip_locked=True).order_by("trace_id"))
        if not traces:
            return 0
        since = max(trace.start_time for trace in traces if trace.start_time) + _MICROSECOND
        watermark.trim_coverage(project, since)
        index.set_members(project.pk, [(trace, {}) for trace in traces])
        Trace.objects.filter(pk__in=[trace.pk for trace in traces]).delete()
    return len(traces)
