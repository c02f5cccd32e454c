"""Notice that the database was restored to an earlier state, and pause delivery until a person has decided.

Deliveries of a restored backup may be outdated: Laminar may have newer values, which were saved after the backup.
"""

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Max, Min, Q, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.delivery import outcome_log
from reviewapp.delivery.models import Breaker, Patch, RestoreMarker, State
from reviewapp.delivery.queries import POSTGRES_LOCATION
from reviewapp.lib import clock, sql
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace
from reviewapp.webhooks.models import MessageState, WebhookMessage

log = logging.getLogger(__name__)

MARKER_FILE = "tide"
# After a restore the counter jumps this far above what any machine can have stored, so that it is noticed only once.
COUNTER_LEAP = 1_000_000
# Where a SQLite database is: in use, or in the file that `manage.py backup` wrote.
SQLITE_LOCATION, BACKUP_LOCATION = "sqlite", "backup"


@dataclass(frozen=True, slots=True)
class WaitingPatches:
    """How many patches of a project are waiting, and when the first and last of them were saved."""

    count: int
    oldest: datetime | None
    newest: datetime | None


def check_for_restore() -> None:
    """Increase the database's counter and store it in DATA_DIR; pause delivery if the database was restored.

    A database was restored if it is behind a file of its own installation, or if it is a copy of the database that its
    marker names.
    """
    path = settings.DATA_DIR / MARKER_FILE
    # Read the file first: a counter that another worker stores in between is never above one that is read later.
    stored = _read_marker_file(path)
    location = read_location()
    marker, _ = RestoreMarker.objects.get_or_create(pk=1, defaults={"location": location})
    unchanged = None
    if marker.location not in ("", location):
        unchanged = RestoreMarker.objects.filter(pk=1, location=marker.location)
    elif stored is not None and stored[0] == marker.installation and stored[1] > marker.counter:
        unchanged = RestoreMarker.objects.filter(pk=1, counter__lt=stored[1])
    if unchanged is not None:
        counter = max(marker.counter, stored[1] if stored is not None else 0) + COUNTER_LEAP
        with transaction.atomic():
            # Of several workers that notice it, one pauses delivery.
            if unchanged.update(counter=counter, location=location):
                log.error("The database was restored from a backup: delivery is paused")
                pause_delivery(projects_with_unfinished_deliveries(), "worker")
    RestoreMarker.objects.filter(pk=1).update(counter=F("counter") + 1, location=location)
    marker.refresh_from_db()
    _write_marker_file(path, marker)


def mark_as_restored() -> None:
    """Pause delivery after a restore, whatever this machine knows about the database."""
    RestoreMarker.objects.get_or_create(pk=1)
    RestoreMarker.objects.filter(pk=1).update(location=BACKUP_LOCATION)
    check_for_restore()


def read_location() -> str:
    """Return what tells this database from its copies: on SQLite, from a backup only."""
    if connection.vendor != "postgresql":
        return SQLITE_LOCATION
    ((location,),) = sql.fetch_rows(POSTGRES_LOCATION)
    return str(location)


def projects_with_unfinished_deliveries() -> QuerySet[Project]:
    """Projects that have waiting, sending or accepted patches, or messages to webhooks that are not sent."""
    messages = WebhookMessage.objects.filter(state__in=[MessageState.WAITING, MessageState.SENDING])
    patches = Patch.objects.unfinished()
    return Project.objects.filter(Q(pk__in=patches.values("project")) | Q(pk__in=messages.values("webhook__project")))


def pause_delivery(projects: QuerySet[Project], actor: User | str) -> int:
    """Push nothing for these projects until a person resumes delivery. Returns how many were not paused before."""
    count = 0
    for project in projects.order_by("pk"):
        with transaction.atomic():
            Breaker.objects.get_or_create(project=project)
            if Breaker.objects.filter(project=project, paused_at=None).update(paused_at=clock.now()):
                waiting_count = summarise_waiting(project).count
                record(project, actor, "paused delivery", f"project:{project.slug}", count=waiting_count)
                outcome_log.log_paused(project.pk, waiting_count, get_actor_name(actor))
                count += 1
    return count


def resume_delivery(project: Project, actor: User | str) -> bool:
    """Send the waiting patches of a paused project. Returns False if it was not paused."""
    with transaction.atomic():
        if not Breaker.objects.filter(project=project).exclude(paused_at=None).update(paused_at=None):
            return False
        waiting_count = summarise_waiting(project).count
        record(project, actor, "resumed delivery", f"project:{project.slug}", count=waiting_count)
        return True


def discard_patch(project: Project, patch_id: int, actor: User) -> bool:
    """End a waiting patch of a paused project without sending it, and pull the trace's values from Laminar.

    Returns False if the patch is not waiting or the project is not paused.
    """
    waiting = Patch.objects.filter(project=project, pk=patch_id, state=State.WAITING)
    patch = waiting.exclude(project__breaker__paused_at=None).first()
    if patch is None:
        return False
    outcome = f"Discarded by {get_actor_name(actor)} while delivery was paused. It was not sent."
    with transaction.atomic():
        locked_trace = merge.lock_trace(project, patch.trace_id)
        if not waiting.update(state=State.SUPERSEDED, last_error=outcome):
            return False
        merge.discard_unconfirmed(locked_trace, patch.values)
        Trace.objects.filter(pk=locked_trace.pk).update(pull_due_at=clock.now(), pull_tries=0)
        record(project, actor, "discarded delivery", f"delivery:{patch_id}")
    return True


def summarise_waiting(project: Project) -> WaitingPatches:
    waiting = Patch.objects.filter(project=project, state=State.WAITING)
    return WaitingPatches(
        **waiting.aggregate(count=Count("pk"), oldest=Min("created_at"), newest=Max("created_at")),
    )


def _read_marker_file(path: Path) -> tuple[UUID, int] | None:
    """The installation and counter last stored on this machine; None if the file cannot be read."""
    try:
        installation, counter = path.read_text().split()
        return UUID(installation), int(counter)
    except (OSError, ValueError):
        return None


def _write_marker_file(path: Path, marker: RestoreMarker) -> None:
    temporary_path = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary_path.write_text(f"{marker.installation} {marker.counter}\n")
        temporary_path.replace(path)
    except OSError as error:
        # Delivery continues; only a restore after this point would go unnoticed.
        log.warning("Could not write %s: %s", path, error, extra={"summary": "restore marker"})
