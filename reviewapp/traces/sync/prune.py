"""Keep the mirror to its window: what nobody has queued goes after some days, or when there are too many."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import watermark

# Traces that go in one transaction: a save waits for few of them.
BATCH_SIZE = 100
_MOMENT = timedelta(microseconds=1)


def get_cutoff(project: Project) -> datetime:
    """Traces that began before this moment are not in the mirror's window."""
    oldest = clock.now() - timedelta(days=settings.MIRROR_DAYS)
    first, last = (Trace.objects.order_by(order).values_list("pk", flat=True).first() or 0 for order in ("pk", "-pk"))
    if last - first < settings.MIRROR_TRACES:
        # All projects together have no more: nothing needs to be counted.
        return oldest
    newest_first = Trace.objects.unqueued(project).order_by("-start_time").values_list("start_time", flat=True)
    surplus = list(newest_first[settings.MIRROR_TRACES : settings.MIRROR_TRACES + 1])
    return max([oldest, *(begun + _MOMENT for begun in surplus if begun is not None)])


def prune(project: Project, before: datetime, spared: Exists) -> int:
    """Take the oldest few that began `before` this moment out of the mirror, with all that hangs on them; how many.

    What is queued or reviewed stays, what carries values of ours that are not confirmed, and what `spared` says.
    """
    with transaction.atomic():
        outside = Trace.objects.unqueued(project).filter(start_time__lt=before, unconfirmed="{}").exclude(spared)
        found = list(outside.order_by("start_time").values_list("pk", flat=True)[:BATCH_SIZE])
        # Asked again once it is locked: somebody may have queued one.
        still = Trace.objects.unqueued(project).filter(pk__in=found, unconfirmed="{}")
        gone = list(still.only("start_time").select_for_update(skip_locked=True).order_by("trace_id"))
        if not gone:
            return 0
        since = max(trace.start_time for trace in gone if trace.start_time) + _MOMENT
        watermark.trim_coverage(project, since)
        index.set_members(project.pk, [(trace, {}) for trace in gone])
        Trace.objects.filter(pk__in=[trace.pk for trace in gone]).delete()
    return len(gone)
