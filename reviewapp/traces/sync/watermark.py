"""What of Laminar's traces a project's mirror holds, by start time: all since a moment, but for one gap at most.

A project that was connected to another Laminar has no mark there yet.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Watermark

# Traces arrive late: each listing looks back this far behind the newest one seen.
OVERLAP = timedelta(minutes=10)
FIRST_LISTING = timedelta(days=7)


def get_watermark(project: Project) -> Watermark | None:
    """How far the project's traces have been listed, None where nothing is known."""
    return _marks(project).first()


def next_listing_start(project: Project) -> datetime:
    """From which start time on the next listing of new traces has to look."""
    mark = get_watermark(project)
    return (
        mark.listed_until - OVERLAP if mark else clock.now() - min(FIRST_LISTING, timedelta(days=settings.MIRROR_DAYS))
    )


def get_gap(project: Project) -> tuple[datetime, datetime] | None:
    """Between which start times the mirror lacks traces: from the first on, and before the second."""
    mark = get_watermark(project)
    return (mark.gap_start, mark.gap_end) if mark and mark.gap_start and mark.gap_end else None


def advance_watermark(project: Project, since: datetime, kept: datetime, newest: datetime) -> None:
    """Remember how far a listing from `since` on has come, which stored all that began from `kept` on.

    Never back, nor into the future by a clock that is wrong. What it did not come to is left as a gap.
    """
    newest = min(newest, clock.now())
    gap = {"gap_start": since, "gap_end": kept} if kept > since else {}
    with transaction.atomic():
        Watermark.objects.filter(project=project).exclude(base_url=project.base_url).delete()
        mark, is_new = Watermark.objects.select_for_update().get_or_create(
            project=project,
            defaults={"base_url": project.base_url, "listed_until": newest, "complete_since": since} | gap,
        )
        # A listing that began later than the last one ended says nothing about what lies between.
        if is_new or since > mark.listed_until:
            return
        if kept > mark.listed_until:
            # Down to here it was listed before; a gap that is there already becomes one with this.
            _marks(project).update(gap_start=min(mark.gap_start or since, since), gap_end=kept)
        _marks(project).filter(listed_until__lt=newest).update(listed_until=newest)
        extend_coverage(project, kept, max(newest, mark.listed_until))


def extend_coverage(project: Project, since: datetime, until: datetime) -> None:
    """Remember that all traces that began between these moments are here, where it joins on to what is."""
    marks = _marks(project)
    marks.filter(complete_since__gt=since, complete_since__lte=until).update(complete_since=since)
    marks.filter(gap_start__gte=since, gap_end__lte=until).update(gap_start=None, gap_end=None)
    marks.filter(gap_end__gt=since, gap_end__lte=until).update(gap_end=since)


def trim_coverage(project: Project, since: datetime) -> None:
    """Remember that of the traces that began before this moment only those that are kept are here."""
    marks = _marks(project)
    marks.filter(complete_since__lt=since).update(complete_since=since)
    marks.filter(gap_end__lte=since).update(gap_start=None, gap_end=None)
    marks.filter(gap_start__lt=since).update(gap_start=since)


def _marks(project: Project) -> QuerySet[Watermark]:
    return Watermark.objects.filter(project=project, base_url=project.base_url)
