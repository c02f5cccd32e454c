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
from reviewapp.audit.recording import name_of, record
from reviewapp.delivery.models import Breaker, Patch, State, Tide
from reviewapp.lib import clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace

log = logging.getLogger(__name__)

FILE = "tide"
# Far above what other machines have noted before the database was put back: it is noticed once.
LEAP = 1_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a project would send if it were let go."""

    count: int
    oldest: datetime | None
    newest: datetime | None


def watch_tide() -> None:
    """Raise the database's mark and note it in DATA_DIR; hold all projects when the file is ahead of the database.

    A database can only be behind a file of its own installation when it was put back to an earlier state.
    """
    path = settings.DATA_DIR / FILE
    # The file first: a mark that another worker notes in between is never above one that is read later.
    noted = _noted(path)
    tide, _ = Tide.objects.get_or_create(pk=1)
    if noted is not None and noted[0] == tide.installation and noted[1] > tide.mark:
        with transaction.atomic():
            if Tide.objects.filter(pk=1, mark__lt=noted[1]).update(mark=noted[1] + LEAP):
                log.warning("the database was put back to an earlier state: what waits is held")
                hold(with_open_patches(), "worker")
    Tide.objects.filter(pk=1).update(mark=F("mark") + 1)
    tide.refresh_from_db()
    _note(path, tide)


def with_open_patches() -> QuerySet[Project]:
    """Projects that have patches on their way."""
    return Project.objects.filter(pk__in=Patch.objects.open().values("project"))


def hold(projects: QuerySet[Project], actor: User | str) -> int:
    """Push nothing for these projects until a person lets it go; how many of them were not held yet."""
    count = 0
    for project in projects.order_by("pk"):
        with transaction.atomic():
            Breaker.objects.get_or_create(project=project)
            if Breaker.objects.filter(project=project, restored_at=None).update(restored_at=clock.now()):
                record(project, actor, "held deliveries", f"project:{project.slug}", count=waiting(project).count)
                count += 1
    return count


def release(project: Project, actor: User | str) -> bool:
    """Let go what waits; False when nothing was held."""
    with transaction.atomic():
        if not Breaker.objects.filter(project=project).exclude(restored_at=None).update(restored_at=None):
            return False
        record(project, actor, "released deliveries", f"project:{project.slug}", count=waiting(project).count)
        return True


def leave_out(project: Project, patch_id: int, actor: User) -> bool:
    """End a held patch without sending it, and have the mirror say what Laminar says; False when that cannot be."""
    held_back = Patch.objects.filter(project=project, pk=patch_id, state=State.WAITING)
    patch = held_back.exclude(project__breaker__restored_at=None).first()
    if patch is None:
        return False
    said = f"Left out by {name_of(actor)} while deliveries were held. It is not sent."
    with transaction.atomic():
        held = merge.hold(project, patch.trace_id)
        if not held_back.update(state=State.SUPERSEDED, last_error=said):
            return False
        merge.let_go(held, patch.values)
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


def _note(path: Path, tide: Tide) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{tide.installation} {tide.mark}\n")
        draft.replace(path)
    except OSError as error:
        # Reviews go on: only a restore from here on would not be noticed.
        log.warning("%s cannot be written: %s", path, error)
