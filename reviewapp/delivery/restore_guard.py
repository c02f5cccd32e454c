"""Notice that the database was put back to an earlier state, and hold what waits until a person has looked.

Deliveries of a restored backup may be old: Laminar may hold newer values, from reviews that the backup lacks.
"""

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, Min, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.delivery.models import Breaker, Patch, RestoreMarker, State
from reviewapp.lib import clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace

log = logging.getLogger(__name__)

MARKER_FILE = "tide"
# Far above what other machines have noted before the database was put back: it is noticed once.
LEAP = 1_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a project would send if it were let go."""

    count: int
    oldest: datetime | None
    newest: datetime | None


def check_for_restore() -> None:
    """Raise the database's mark and note it in DATA_DIR; hold all projects when the file is ahead of the database.

    A database can only be behind a file of its own installation when it was put back to an earlier state.
    """
    path = settings.DATA_DIR / MARKER_FILE
    # The file first: a mark that another worker notes in between is never above one that is read later.
    noted = _noted(path)
    tide, _ = RestoreMarker.objects.get_or_create(pk=1)
    if noted is not None and noted[0] == tide.installation and noted[1] > tide.counter:
        with transaction.atomic():
            if RestoreMarker.objects.filter(pk=1, counter__lt=noted[1]).update(counter=noted[1] + LEAP):
                log.warning("the database was put back to an earlier state: what waits is held")
                pause_delivery(projects_with_unfinished_patches(), "worker")
    RestoreMarker.objects.filter(pk=1).update(counter=F("counter") + 1)
    tide.refresh_from_db()
    _note(path, tide)


def projects_with_unfinished_patches() -> QuerySet[Project]:
    """Projects that have patches on their way."""
    return Project.objects.filter(pk__in=Patch.objects.unfinished().values("project"))


def pause_delivery(projects: QuerySet[Project], actor: User | str) -> int:
    """Push nothing for these projects until a person lets it go; how many of them were not held yet."""
    count = 0
    for project in projects.order_by("pk"):
        with transaction.atomic():
            Breaker.objects.get_or_create(project=project)
            if Breaker.objects.filter(project=project, paused_at=None).update(paused_at=clock.now()):
                record(project, actor, "held deliveries", f"project:{project.slug}", count=waiting(project).count)
                count += 1
    return count


def resume_delivery(project: Project, actor: User | str) -> bool:
    """Let go what waits; False when nothing was held."""
    with transaction.atomic():
        if not Breaker.objects.filter(project=project).exclude(paused_at=None).update(paused_at=None):
            return False
        record(project, actor, "released deliveries", f"project:{project.slug}", count=waiting(project).count)
        return True


def discard_patch(project: Project, patch_id: int, actor: User) -> bool:
    """End a held patch without sending it, and have the mirror say what Laminar says; False when that cannot be."""
    held_back = Patch.objects.filter(project=project, pk=patch_id, state=State.WAITING)
    patch = held_back.exclude(project__breaker__paused_at=None).first()
    if patch is None:
        return False
    said = f"Left out by {get_actor_name(actor)} while deliveries were held. It is not sent."
    with transaction.atomic():
        held = merge.lock_trace(project, patch.trace_id)
        if not held_back.update(state=State.SUPERSEDED, last_error=said):
            return False
        merge.discard_unconfirmed(held, patch.values)
        Trace.objects.filter(pk=held.pk).update(pull_due_at=clock.now(), pull_tries=0)
        record(project, actor, "left out delivery", f"delivery:{patch_id}")
    return True


def waiting(project: Project) -> Waiting:
    """How much waits in a project, and since when."""
    found = Patch.objects.filter(project=project, state=State.WAITING)
    said = found.aggregate(count=Count("pk"), oldest=Min("created_at"), newest=Max("created_at"))
    return Waiting(**said)


def _noted(path: Path) -> tuple[UUID, int] | None:
    """Installation and mark as they were noted last on this machine; None where nothing can be read."""
    try:
        installation, mark = path.read_text().split()
        return UUID(installation), int(mark)
    except (OSError, ValueError):
        return None


def _note(path: Path, tide: RestoreMarker) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{tide.installation} {tide.counter}\n")
        draft.replace(path)
    except OSError as error:
        # Reviews go on: only a restore from here on would not be noticed.
        log.warning("%s cannot be written: %s", path, error)
