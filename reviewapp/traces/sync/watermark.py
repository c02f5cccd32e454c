"""What of Laminar's traces a project's mirror holds, by start time: all since a moment, but for one gap at most.

A project that was connected to another Laminar has no mark there yet.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import PullMark

# Traces arrive late: each listing looks back this far behind the newest one seen.
OVERLAP = timedelta(minutes=10)
FIRST_LISTING = timedelta(days=7)


def mark_of(project: Project) -> PullMark | None:
    """How far the project's traces have been listed, None where nothing is known."""
    return _marks(project).first()


def listed_since(project: Project) -> datetime:
    """From which start time on the next listing of new traces has to look."""
    mark = mark_of(project)
    return mark.reached - OVERLAP if mark else clock.now() - min(FIRST_LISTING, timedelta(days=settings.MIRROR_DAYS))


def gap_of(project: Project) -> tuple[datetime, datetime] | None:
    """Between which start times the mirror lacks traces: from the first on, and before the second."""
    mark = mark_of(project)
    return (mark.lacks_since, mark.lacks_until) if mark and mark.lacks_since and mark.lacks_until else None


def note_listed(project: Project, since: datetime, kept: datetime, newest: datetime) -> None:
    """Remember how far a listing from `since` on has come, which stored all that began from `kept` on.

    Never back, nor into the future by a clock that is wrong. What it did not come to is left as a gap.
    """
    newest = min(newest, clock.now())
    gap = {"lacks_since": since, "lacks_until": kept} if kept > since else {}
    with transaction.atomic():
        PullMark.objects.filter(project=project).exclude(base_url=project.base_url).delete()
        mark, is_new = PullMark.objects.select_for_update().get_or_create(
            project=project, defaults={"base_url": project.base_url, "reached": newest, "holds_since": since} | gap
        )
        # A listing that began later than the last one ended says nothing about what lies between.
        if is_new or since > mark.reached:
            return
        if kept > mark.reached:
            # Down to here it was listed before; a gap that is there already becomes one with this.
            _marks(project).update(lacks_since=min(mark.lacks_since or since, since), lacks_until=kept)
        _marks(project).filter(reached__lt=newest).update(reached=newest)
        note_held(project, kept, max(newest, mark.reached))


def note_held(project: Project, since: datetime, until: datetime) -> None:
    """Remember that all traces that began between these moments are here, where it joins on to what is."""
    marks = _marks(project)
    marks.filter(holds_since__gt=since, holds_since__lte=until).update(holds_since=since)
    marks.filter(lacks_since__gte=since, lacks_until__lte=until).update(lacks_since=None, lacks_until=None)
    marks.filter(lacks_until__gt=since, lacks_until__lte=until).update(lacks_until=since)


def note_pruned(project: Project, since: datetime) -> None:
    """Remember that of the traces that began before this moment only those that are kept are here."""
    marks = _marks(project)
    marks.filter(holds_since__lt=since).update(holds_since=since)
    marks.filter(lacks_until__lte=since).update(lacks_since=None, lacks_until=None)
    marks.filter(lacks_since__lt=since).update(lacks_since=since)


def _marks(project: Project) -> QuerySet[PullMark]:
    return PullMark.objects.filter(project=project, base_url=project.base_url)
