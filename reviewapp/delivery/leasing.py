"""Lease patches to a worker: from which projects, in which order, how many, and for how long."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Case, F, Value, When

from reviewapp.delivery import outbox, queries, rate_limit
from reviewapp.delivery.models import Attempt, Breaker, Patch, PatchQuerySet, State
from reviewapp.lib import clock, leases, sql
from reviewapp.lib.leases import LEASE_DURATION

# Rows of one project that a worker holds at once: a project that never answers leaves room for the others.
MAX_LEASED_PER_PROJECT = 128
INTERRUPTED_MESSAGE = "The worker stopped before it recorded a result: Laminar may have received the values."


class ReadyProject(NamedTuple):
    """A project that has something to push and is not blocked."""

    project_id: int
    oldest_due_at: Any
    push_limit: int | None
    # The breaker was open, and it is time for a probe.
    is_probe: bool


def select_ready_projects(now: datetime) -> list[ReadyProject]:
    """The projects with due patches, the one that has waited longest first."""
    projects = [ReadyProject(*row) for row in sql.fetch_rows(queries.READY_PROJECTS, now, now) if row[1] is not None]
    return sorted(projects, key=lambda project: str(project.oldest_due_at))


def select_due_patches(project: ReadyProject, limit: int, now: datetime) -> list[Patch]:
    """Up to `limit` due patches of a project, one per trace, locked. Call it in a transaction."""
    query = queries.DUE_PATCHES
    if project.is_probe:
        breaker = Breaker.objects.select_for_update(skip_locked=True).filter(project=project.project_id).first()
        if breaker is None or Patch.objects.filter(project=project.project_id, state=State.SENDING).exists():
            return []
        # Probe with the patch that failed least: one that always fails would block the others forever.
        query, limit = queries.DUE_PATCHES.replace("ORDER BY", "ORDER BY failures,"), 1
    elif project.push_limit is not None:
        limit = min(limit, rate_limit.take(project.project_id, project.push_limit, limit, now))
    by_trace: dict[UUID, Patch] = {}
    for patch in sql.fetch_objects(Patch, query, project.project_id, now, limit):
        by_trace.setdefault(patch.trace_id, patch)
    if project.push_limit is not None and not project.is_probe and len(by_trace) < limit:
        rate_limit.give_back(project.project_id, limit - len(by_trace))
    return list(by_trace.values())


def lease(limit: int, under_way: Collection[Patch] = (), excluded: Collection[int] = ()) -> list[Patch]:
    """Lease up to `limit` due patches: one per trace, and MAX_LEASED_PER_PROJECT per project including `under_way`.

    Skips the projects in `excluded` (primary keys), and those that are paused, have an open breaker, or still have more
    than half of MAX_LEASED_PER_PROJECT under way. Leases one patch as a probe if the breaker was open, and no more than
    a project's rate limit allows.
    """
    now = clock.now()
    under_way_counts = Counter(patch.project_id for patch in under_way)
    projects = [
        project
        for project in select_ready_projects(now)
        if under_way_counts[project.project_id] <= MAX_LEASED_PER_PROJECT // 2 and project.project_id not in excluded
    ]
    if limit <= 0 or not projects:
        return []
    try:
        with transaction.atomic():
            patches: list[Patch] = []
            for project in projects[:limit]:
                available = MAX_LEASED_PER_PROJECT - under_way_counts[project.project_id]
                patches += select_due_patches(project, min(available, limit - len(patches)), now)
            return _start_sending(patches, now)
    except (IntegrityError, OperationalError) as error:
        if isinstance(error, OperationalError) and not outbox.is_deadlock(error):
            raise
        # Another worker leased a patch of the same trace at the same time: that one goes first.
        return []


def renew_leases(patches: Sequence[Patch]) -> None:
    """Extend the leases of these patches; a lease that was lost stays lost."""
    until, deadline = clock.now() + LEASE_DURATION, leases.make_deadline()
    numbers = {patch.pk: patch.lease for patch in patches}
    with transaction.atomic():
        sending = Patch.objects.select_for_update().filter(pk__in=numbers, state=State.SENDING).order_by("pk")
        renewed = {pk for pk, number in sending.values_list("pk", "lease") if numbers[pk] == number}
        Patch.objects.filter(pk__in=renewed).update(leased_until=until)
    for patch in patches:
        if patch.pk in renewed:
            patch.leased_until, patch.lease_deadline = until, deadline


def release_expired_leases() -> int:
    """Release the leases of workers that died, and record an attempt for each. Returns the number of rows.

    None after the database's clock was set, until each living worker has renewed its leases by the new time.
    """
    if not _find_expired(clock.now()).exists():
        return 0
    with transaction.atomic():
        now = clock.now()
        # Locked: otherwise a save could supersede a row, which would then be waiting again and be sent late.
        patches = list(_find_expired(now).select_for_update().order_by("pk"))
        # Only now, because the lock may have taken long.
        clock.sync()
        if clock.has_jumped_within(LEASE_DURATION):
            return 0
        state = Case(When(superseded_by=None, then=Value(State.WAITING)), default=Value(State.SUPERSEDED))
        Patch.objects.filter(pk__in=[patch.pk for patch in patches]).update(
            state=state, lease=F("lease") + 1, due_at=now, interruptions=F("interruptions") + 1
        )
        Attempt.objects.bulk_create([_build_interrupted_attempt(patch, now) for patch in patches])
    return len(patches)


def release_leases(patches: Sequence[Patch]) -> None:
    """Release the leases of patches that were not sent: any worker may lease them at once."""
    with transaction.atomic():
        for patch in patches:
            outbox.record_outcome(patch, state=State.WAITING)


def _find_expired(now: datetime) -> PatchQuerySet:
    return Patch.objects.filter(leases.is_expired(now), state=State.SENDING)


def _start_sending(patches: list[Patch], now: datetime) -> list[Patch]:
    deadline = leases.make_deadline()
    Patch.objects.filter(pk__in=[patch.pk for patch in patches]).update(
        state=State.SENDING, lease=F("lease") + 1, leased_until=now + LEASE_DURATION
    )
    for patch in patches:
        patch.state, patch.lease, patch.leased_until = State.SENDING, patch.lease + 1, now + LEASE_DURATION
        patch.lease_deadline = deadline
    return patches


def _build_interrupted_attempt(patch: Patch, now: datetime) -> Attempt:
    """The attempt of a worker that died: reckoned from its lease, because it could not record its own."""
    renewed_at = min(patch.leased_until or now, now + LEASE_DURATION) - LEASE_DURATION
    seconds = (now - renewed_at).total_seconds()
    return Attempt(patch=patch, act=Attempt.Act.PUSH, at=renewed_at, seconds=seconds, outcome=INTERRUPTED_MESSAGE)
