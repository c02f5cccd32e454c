"""Put a patch on its way, lease it, and say what came of it. The row is the only truth.

Each function is one short transaction; none talks to Laminar.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json, clock

# Long enough for a push that is renewed every few seconds, short enough that the rows of a killed
# worker are sent again within half a minute.
LEASE = timedelta(seconds=20)


def put(
    project: Project,
    trace_id: UUID,
    metadata: Mapping[str, Any],
    *,
    source: str,
    after: timedelta = timedelta(0),
) -> Patch:
    """Write one patch to push after a time, in the caller's transaction; it stands when that commits.

    Older patches of the trace that are still on their way are superseded, and this one carries their
    keys: each push counts as a span of the trace there, and the last one must leave nothing out.
    Raises canonical_json.NotCanonical.
    """
    now = clock.now()
    with transaction.atomic(savepoint=False):
        older = list(
            Patch.objects.select_for_update()
            .filter(project=project, trace_id=trace_id)
            .filter(Q(state=State.PARKED) | Q(state__in=[State.WAITING, State.SENDING, State.ACCEPTED]))
            .order_by("pk")
        )
        # A parked patch may be parked for what is in it: it is replaced only by one that says all it said.
        older = [patch for patch in older if patch.state != State.PARKED or patch.values.keys() <= metadata.keys()]
        carried: dict[str, Any] = {}
        for patch in older:
            carried.update(patch.values)
        new = Patch.objects.create(
            project=project, trace_id=trace_id, metadata=canonical_json.dumps({**carried, **metadata}),
            source=source, created_at=now, due_at=now + after,
        )  # fmt: skip
        if older:
            _supersede(older, new)
    return new


def lease(limit: int) -> list[Patch]:
    """Take up to `limit` due patches for sending, one per trace, none of a project whose breaker is open."""
    now = clock.now()
    if not Patch.objects.sendable(now).filter(_not_held(now)).exists():
        return []
    try:
        with transaction.atomic():
            due = Patch.objects.sendable(now).filter(_not_held(now)).select_related("project", "project__breaker")
            taken: dict[tuple[int, UUID], Patch] = {}
            probed: set[int] = set()
            for patch in due.select_for_update(skip_locked=True, of=("self",))[:limit]:
                if _is_tried(patch.project):
                    # One patch at a time while it is not known whether the far side is back.
                    if patch.project_id in probed:
                        continue
                    probed.add(patch.project_id)
                taken.setdefault((patch.project_id, patch.trace_id), patch)
            return _leased(list(taken.values()), now)
    except IntegrityError:
        # Another worker took a patch of the same trace in the same moment: it goes first.
        return []


def renew(patches: Sequence[Patch]) -> None:
    """Keep the leases of pushes under way; a lease that was taken over stays lost."""
    until = clock.now() + LEASE
    for patch in patches:
        if Patch.objects.filter(pk=patch.pk, lease=patch.lease, state=State.SENDING).update(leased_until=until):
            patch.leased_until = until


def rescue() -> int:
    """Give back the rows of workers that died; how many there were."""
    stale = Patch.objects.filter(state=State.SENDING, leased_until__lt=clock.now())
    if not stale.exists():
        return 0
    with transaction.atomic():
        stale.exclude(superseded_by=None).update(state=State.SUPERSEDED, lease=F("lease") + 1)
        return stale.update(state=State.WAITING, lease=F("lease") + 1, due_at=clock.now())


def give_back(patches: Sequence[Patch]) -> None:
    """Return leases that will not be used, as a worker that stops does."""
    for patch in patches:
        mark(patch, state=State.WAITING)


def mark(patch: Patch, **changes: Any) -> bool:
    """Write what came of a leased patch; False when the lease was lost and nothing was written.

    A patch superseded while it was under way ends here, whatever came of it: the newer carries its keys.
    """
    mine = Patch.objects.filter(pk=patch.pk, state=State.SENDING, lease=patch.lease)
    with transaction.atomic():
        if mine.exclude(superseded_by=None).update(**{**changes, "state": State.SUPERSEDED, "leased_until": None}):
            return True
        return bool(mine.update(**{"leased_until": None, **changes}))


def retry(project: Project, patch_ids: Sequence[int], actor: str) -> int:
    """Send parked or held-off patches now; how many. What a newer patch has said since is not overwritten."""
    count = 0
    for patch in Patch.objects.filter(project=project, pk__in=patch_ids):
        count += _retry_one(patch, actor)
    return count


def _retry_one(patch: Patch, actor: str) -> int:
    now = clock.now()
    if patch.state == State.WAITING:
        return Patch.objects.filter(pk=patch.pk, state=State.WAITING).update(due_at=now)
    with transaction.atomic():
        row = Patch.objects.select_for_update().filter(pk=patch.pk, state=State.PARKED).first()
        if row is None:
            return 0
        newer = Patch.objects.filter(project_id=row.project_id, trace_id=row.trace_id, pk__gt=row.pk)
        since: set[str] = set()
        for later in newer.exclude(state=State.PARKED):
            since.update(later.values)
        left = {key: value for key, value in row.values.items() if key not in since}
        if not left:
            return Patch.objects.filter(pk=row.pk).update(state=State.SUPERSEDED, superseded_by=newer.last())
        return Patch.objects.filter(pk=row.pk).update(
            state=State.WAITING, metadata=canonical_json.dumps(left), due_at=now, created_at=now,
            failures=0, misses=0, sends=0, reads=0, reason="", source=f"{row.source}, retried by {actor}"[:160],
        )  # fmt: skip


def _leased(patches: list[Patch], now: datetime) -> list[Patch]:
    Patch.objects.filter(pk__in=[patch.pk for patch in patches]).update(
        state=State.SENDING, lease=F("lease") + 1, leased_until=now + LEASE
    )
    for patch in patches:
        patch.state, patch.lease, patch.leased_until = State.SENDING, patch.lease + 1, now + LEASE
    return patches


def _supersede(older: Sequence[Patch], new: Patch) -> None:
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state == State.SENDING]).update(superseded_by=new)
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state != State.SENDING]).update(
        state=State.SUPERSEDED, superseded_by=new
    )


def _not_held(now: datetime) -> Q:
    return Q(project__breaker=None) | Q(project__breaker__held_until=None) | Q(project__breaker__held_until__lte=now)


def _is_tried(project: Project) -> bool:
    return hasattr(project, "breaker") and project.breaker.held_until is not None
