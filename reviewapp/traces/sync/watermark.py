"""Which of Laminar's traces a project's mirror has: all since a start time, with at most one gap.

A project that was moved to another Laminar has no watermark there until its first listing.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Watermark

# Traces arrive late: each listing starts this far before the newest trace of the last one.
OVERLAP = timedelta(minutes=10)
FIRST_LISTING_WINDOW = timedelta(days=7)


def get_watermark(project: Project) -> Watermark | None:
    """How far the project's traces have been listed; None before the first listing."""
    return _watermarks(project).first()


def next_listing_start(project: Project) -> datetime:
    """The start time from which on the next listing looks for new traces."""
    watermark = get_watermark(project)
    if watermark is not None:
        return watermark.listed_until - OVERLAP
    return clock.now() - min(FIRST_LISTING_WINDOW, timedelta(days=settings.MIRROR_DAYS))


def get_gap(project: Project) -> tuple[datetime, datetime] | None:
    """The start times [start, end) of traces that the mirror lacks; None if there is no gap."""
    watermark = get_watermark(project)
    if watermark is None or not watermark.gap_start or not watermark.gap_end:
        return None
    return watermark.gap_start, watermark.gap_end


def advance_watermark(project: Project, since: datetime, stored_from: datetime, newest: datetime) -> None:
    """Record a listing from `since` on that has stored all traces that started from `stored_from` on.

    The watermark never moves back, nor into the future if a clock is wrong. What the listing has not reached becomes
    a gap.
    """
    newest = min(newest, clock.now())
    gap = {"gap_start": since, "gap_end": stored_from} if stored_from > since else {}
    with transaction.atomic():
        Watermark.objects.filter(project=project).exclude(base_url=project.base_url).delete()
        watermark, is_new = Watermark.objects.select_for_update().get_or_create(
            project=project,
            defaults={"base_url": project.base_url, "listed_until": newest, "complete_since": since} | gap,
        )
        # A listing that starts after the end of the last one leaves an unknown range between them.
        if is_new or since > watermark.listed_until:
            return
        if stored_from > watermark.listed_until:
            # Everything up to `listed_until` was listed before; an existing gap is merged with this one.
            gap_start = min(watermark.gap_start or since, since)
            _watermarks(project).update(gap_start=gap_start, gap_end=stored_from)
        _watermarks(project).filter(listed_until__lt=newest).update(listed_until=newest)
        extend_coverage(project, stored_from, max(newest, watermark.listed_until))


def extend_coverage(project: Project, since: datetime, until: datetime) -> None:
    """Record that all traces that started in this range are mirrored, if it adjoins the range known so far."""
    watermarks = _watermarks(project)
    watermarks.filter(complete_since__gt=since, complete_since__lte=until).update(complete_since=since)
    watermarks.filter(gap_start__gte=since, gap_end__lte=until).update(gap_start=None, gap_end=None)
    watermarks.filter(gap_end__gt=since, gap_end__lte=until).update(gap_end=since)


def trim_coverage(project: Project, since: datetime) -> None:
    """Record that traces that started before this time are no longer complete."""
    watermarks = _watermarks(project)
    watermarks.filter(complete_since__lt=since).update(complete_since=since)
    watermarks.filter(gap_end__lte=since).update(gap_start=None, gap_end=None)
    watermarks.filter(gap_start__lt=since).update(gap_start=since)


def _watermarks(project: Project) -> QuerySet[Watermark]:
    return Watermark.objects.filter(project=project, base_url=project.base_url)
