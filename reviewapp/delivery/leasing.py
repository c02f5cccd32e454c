"""Lease patches to a worker: of which projects, in which order, how many, and for how long."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Case, F, Q, Value, When

from reviewapp.delivery import outbox, rate_limit
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock, sql

# Of each project: when its longest waiting row was due. A lease costs the same however many rows there are.
_READY_PROJECTS = """
    SELECT p.id,
        (SELECT w.due_at FROM reviewapp_patch w WHERE w.project_id = p.id AND w.state = 'waiting' AND w.due_at <= %s
         ORDER BY w.due_at LIMIT 1),
        p.push_limit, b.held_until IS NOT NULL
    FROM reviewapp_project p LEFT JOIN reviewapp_breaker b ON b.project_id = p.id
    WHERE b.id IS NULL OR (b.restored_at IS NULL AND (b.held_until IS NULL OR b.held_until <= %s))
"""
# Due, and no other of the same trace under way.
_DUE_PATCHES = """
    SELECT w.* FROM reviewapp_patch w
    WHERE w.project_id = %s AND w.state = 'waiting' AND w.due_at <= %s AND NOT EXISTS (
        SELECT 1 FROM reviewapp_patch s
        WHERE s.project_id = w.project_id AND s.trace_id = w.trace_id AND s.state = 'sending')
    ORDER BY due_at, id LIMIT %s FOR UPDATE OF w SKIP LOCKED
"""


class ReadyProject(NamedTuple):
    """A project with something to push that is not held."""

    project_id: int
    oldest: Any
    push_limit: int | None
    # The far side failed, and the time to try it again has come.
    is_probe: bool


def select_ready_projects(now: datetime) -> list[ReadyProject]:
    """The project that has waited longest first."""
    found = [ReadyProject(*row) for row in sql.fetch_rows(_READY_PROJECTS, now, now) if row[1] is not None]
    return sorted(found, key=lambda one: str(one.oldest))


def select_due_patches(one: ReadyProject, room: int, now: datetime) -> list[Patch]:
    """Up to `room` due patches of a project, one per trace, locked. Call it in a transaction."""
    due = _DUE_PATCHES
    if one.is_probe:
        mine = Breaker.objects.select_for_update(skip_locked=True).filter(project=one.project_id).first()
        if mine is None or Patch.objects.filter(project=one.project_id, state=State.SENDING).exists():
            return []
        # The one that failed least goes to try: one that always fails would hold the others for ever.
        due, room = _DUE_PATCHES.replace("ORDER BY", "ORDER BY failures,"), 1
    elif one.push_limit is not None:
        room = min(room, rate_limit.take(one.project_id, one.push_limit, room, now))
    found: dict[UUID, Patch] = {}
    for patch in sql.fetch_objects(Patch, due, one.project_id, now, room):
        found.setdefault(patch.trace_id, patch)
    if one.push_limit is not None and not one.is_probe and len(found) < room:
        rate_limit.give_back(one.project_id, room - len(found))
    return list(found.values())


# Long enough for a push that is renewed every few seconds, short enough that the rows of a killed
# worker are sent again within half a minute.
LEASE_DURATION = timedelta(seconds=20)
# How many rows of one project a worker holds: one that never answers leaves room for the others.
MAX_LEASED_PER_PROJECT = 128


def lease(limit: int, under_way: Collection[Patch] = ()) -> list[Patch]:
    """Take up to `limit` due patches for sending: one per trace, and SHARE per project with those `under_way`.

    None of a project whose breaker is open, or of which more than half of SHARE is under way still; where it is not
    known whether the far side is back, one at a time; no more than a project's rate limit allows.
    """
    now = clock.now()
    busy = Counter(patch.project_id for patch in under_way)
    projects = [one for one in select_ready_projects(now) if busy[one.project_id] <= MAX_LEASED_PER_PROJECT // 2]
    if limit <= 0 or not projects:
        return []
    try:
        with transaction.atomic():
            taken: list[Patch] = []
            for one in projects[:limit]:
                room = min(MAX_LEASED_PER_PROJECT - busy[one.project_id], limit - len(taken))
                taken += select_due_patches(one, room, now)
            return _start_sending(taken, now)
    except (IntegrityError, OperationalError) as error:
        if isinstance(error, OperationalError) and not outbox.is_deadlock(error):
            raise
        # Another worker took a patch of the same trace in the same moment: it goes first.
        return []


def renew_leases(patches: Sequence[Patch]) -> None:
    """Keep the leases of pushes under way; a lease that was taken over stays lost."""
    until = clock.now() + LEASE_DURATION
    leases = {patch.pk: patch.lease for patch in patches}
    with transaction.atomic():
        mine = Patch.objects.select_for_update().filter(pk__in=leases, state=State.SENDING).order_by("pk")
        kept = {pk for pk, lease in mine.values_list("pk", "lease") if leases[pk] == lease}
        Patch.objects.filter(pk__in=kept).update(leased_until=until)
    for patch in patches:
        if patch.pk in kept:
            patch.leased_until = until


def release_expired_leases() -> int:
    """Give back the rows of workers that died; how many there were."""
    now = clock.now()
    # Also one that ends later than any lease given by this clock: it was put back since, perhaps by an hour.
    over = Q(leased_until__lt=now) | Q(leased_until__gt=now + 2 * LEASE_DURATION)
    stale = Patch.objects.filter(over, state=State.SENDING)
    if not stale.exists():
        return 0
    # One statement: of two, a save could come between them, and what it superseded would wait again and be sent late.
    to = Case(When(superseded_by=None, then=Value(State.WAITING)), default=Value(State.SUPERSEDED))
    return stale.update(state=to, lease=F("lease") + 1, due_at=clock.now())


def release_leases(patches: Sequence[Patch]) -> None:
    """End the leases of rows that were not sent: another may take them at once."""
    with transaction.atomic():
        for patch in patches:
            outbox.record_outcome(patch, state=State.WAITING)


def _start_sending(patches: list[Patch], now: datetime) -> list[Patch]:
    Patch.objects.filter(pk__in=[patch.pk for patch in patches]).update(
        state=State.SENDING, lease=F("lease") + 1, leased_until=now + LEASE_DURATION
    )
    for patch in patches:
        patch.state, patch.lease, patch.leased_until = State.SENDING, patch.lease + 1, now + LEASE_DURATION
    return patches
