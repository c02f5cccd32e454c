"""Put a patch on its way, lease it, and say what came of it. The row is the only truth.

Each function is one short transaction; none talks to Laminar.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.traces.metadata import hold

# Long enough for a push that is renewed every few seconds, short enough that the rows of a killed
# worker are sent again within half a minute.
LEASE = timedelta(seconds=20)
# How many pushes one project may have under way in a worker: one that never answers leaves room for the others.
SHARE = 16

# The database's own defaults fill in the counters and the empty texts.
_PUT = """
    INSERT INTO reviewapp_patch (project_id, trace_id, metadata, tags, source, state, created_at, due_at)
    VALUES (%s, %s, %s, %s, %s, 'waiting', %s, %s) RETURNING id
"""
_OPEN = """
    SELECT id FROM reviewapp_patch
    WHERE project_id = %s AND trace_id = %s AND state IN ('waiting', 'sending', 'accepted', 'parked') FOR UPDATE
"""


def put(
    project: Project,
    trace_id: UUID,
    metadata: Mapping[str, Any],
    *,
    source: str,
    tags: Sequence[str] = (),
    after: timedelta = timedelta(0),
) -> Patch:
    """Write one patch to push after a time, in the caller's transaction; it stands when that commits.

    Older patches of the trace that are still on their way are superseded, and this one carries their
    keys and tags: each push counts as a span of the trace there, and the last one must leave nothing out.
    Raises canonical_json.NotCanonical.
    """
    with transaction.atomic(savepoint=False):
        # Whoever patches a trace goes one after another: two at once would not see, and not carry, each other's keys.
        hold(project, trace_id)
        now = clock.now()
        older = _open(project, trace_id)
        # A parked patch may be parked for what is in it: it is replaced only by one that says all it said.
        older = [patch for patch in older if patch.state != State.PARKED or patch.values.keys() <= metadata.keys()]
        carried: dict[str, Any] = {}
        names: list[str] = []
        for patch in older:
            carried.update(patch.values)
            # What Laminar took it has: tags that came twice would stand there twice.
            names += [] if patch.state == State.ACCEPTED else patch.names
        text = canonical_json.dumps({**carried, **metadata})
        tags_text = canonical_json.dumps(list(dict.fromkeys([*names, *tags]))) if names or tags else "[]"
        # What the worker could not read would be found by it alone; here somebody is told.
        canonical_json.loads(text)
        new = Patch(
            project=project, trace_id=trace_id, metadata=text, tags=tags_text, source=source,
            created_at=now, due_at=now + after,
        )  # fmt: skip
        new.pk = sql.rows(_PUT, project.pk, trace_id, text, tags_text, source, now, new.due_at)[0][0]
        if older:
            _supersede(older, new)
    return new


def withdraw(project: Project, patch: Patch) -> dict[str, Any] | None:
    """Take back a patch that nobody has tried to push yet, in the caller's transaction, its trace held.

    Returns the values of older patches that it carried: they are put on their way again. None when it is too late.
    """
    fresh = Patch.objects.filter(pk=patch.pk, state=State.WAITING, sends=0, failures=0, misses=0)
    if not fresh.update(state=State.SUPERSEDED, last_error="Undone before it was sent."):
        return None
    carried: dict[str, Any] = {}
    older = list(Patch.objects.filter(superseded_by=patch).order_by("pk"))
    for one in older:
        carried.update(one.values)
    if older:
        names = [name for one in older if one.accepted_at is None for name in one.names]
        again = put(project, patch.trace_id, carried, tags=names, source=older[-1].source)
        Patch.objects.filter(pk=patch.pk).update(superseded_by=again)
    return carried


def lease(limit: int, under_way: Collection[Patch] = ()) -> list[Patch]:
    """Take up to `limit` due patches for sending: one per trace, and SHARE per project with those `under_way`.

    None of a project whose breaker is open; where it is not known whether the far side is back, one at a time.
    """
    now = clock.now()
    busy = Counter(patch.project_id for patch in under_way)
    ready = _ready(now).exclude(pk__in=[project_id for project_id, count in busy.items() if count >= SHARE])
    if limit <= 0 or not ready.exists():
        return []
    try:
        with transaction.atomic():
            taken: list[Patch] = []
            for project in ready[:limit]:
                room = min(SHARE - busy[project.pk], limit - len(taken))
                taken += _due_of(project, room, now)
            return _leased(taken, now)
    except (IntegrityError, OperationalError) as error:
        if isinstance(error, OperationalError) and not _is_ring(error):
            raise
        # Another worker took a patch of the same trace in the same moment: it goes first.
        return []


def renew(patches: Sequence[Patch]) -> None:
    """Keep the leases of pushes under way; a lease that was taken over stays lost."""
    until = clock.now() + LEASE
    with transaction.atomic():
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


def mark(patch: Patch, **changes: Any) -> bool:
    """Write what came of a leased patch; False when the lease was lost and nothing was written.

    A patch superseded while it was under way ends here, whatever came of it: the newer carries its keys.
    """
    mine = Patch.objects.filter(pk=patch.pk, state=State.SENDING, lease=patch.lease)
    if mine.filter(superseded_by=None).update(**{"leased_until": None, **changes}):
        return True
    return bool(mine.update(**{**changes, "state": State.SUPERSEDED, "reason": "", "leased_until": None}))


def retry(project: Project, patch_ids: Sequence[int], actor: str) -> int:
    """Send parked or held-off patches now; how many. What a newer patch has said since is not overwritten."""
    count = 0
    # Traces in one order, as whoever locks several does.
    for patch in Patch.objects.filter(project=project, pk__in=patch_ids).order_by("trace_id", "pk"):
        count += _retry_one(project, patch, actor)
    return count


def _retry_one(project: Project, patch: Patch, actor: str) -> int:
    now = clock.now()
    if patch.state == State.WAITING:
        return Patch.objects.filter(pk=patch.pk, state=State.WAITING).update(due_at=now)
    with transaction.atomic():
        hold(project, patch.trace_id)
        row = Patch.objects.select_for_update().filter(pk=patch.pk, state=State.PARKED).first()
        if row is None:
            return 0
        newer = Patch.objects.filter(project=project, trace_id=row.trace_id, pk__gt=row.pk).order_by("pk")
        since = {key for later in newer for key in later.values}
        left = {key: value for key, value in row.values.items() if key not in since}
        if not left:
            Patch.objects.filter(pk=row.pk).update(state=State.SUPERSEDED, superseded_by=newer.last(), reason="")
            return 0
        return Patch.objects.filter(pk=row.pk).update(
            state=State.WAITING, metadata=canonical_json.dumps(left), due_at=now, created_at=now,
            failures=0, misses=0, sends=0, reads=0, accepted_at=None, reason="",
            source=f"{row.source}, retried by {actor}"[:160],
        )  # fmt: skip


def _is_ring(error: OperationalError) -> bool:
    """Whether PostgreSQL ended this transaction since two waited for each other (SQLSTATE 40P01)."""
    return getattr(error.__cause__, "sqlstate", "") == "40P01"


def _ready(now: datetime) -> QuerySet[Project]:
    """Projects with something to push whose breaker does not hold them, the longest waiting first."""
    due = Patch.objects.filter(project=OuterRef("pk"), state=State.WAITING, due_at__lte=now).order_by("due_at", "pk")
    return (
        Project.objects.annotate(oldest=Subquery(due.values("due_at")[:1]))
        .filter(Q(breaker=None) | Q(breaker__held_until=None) | Q(breaker__held_until__lte=now), oldest__lte=now)
        .select_related("breaker")
        .order_by("oldest")
    )


def _due_of(project: Project, room: int, now: datetime) -> list[Patch]:
    due = Patch.objects.sendable(now).filter(project=project).select_for_update(skip_locked=True)
    if hasattr(project, "breaker") and project.breaker.held_until is not None:
        mine = Breaker.objects.select_for_update(skip_locked=True).filter(pk=project.breaker.pk).first()
        if mine is None or Patch.objects.filter(project=project, state=State.SENDING).exists():
            return []
        # The one that failed least goes to try: one that always fails would hold the others for ever.
        due, room = due.order_by("failures", "due_at", "pk"), 1
    found: dict[UUID, Patch] = {}
    for patch in due[:room]:
        patch.project = project
        found.setdefault(patch.trace_id, patch)
    return list(found.values())


def _leased(patches: list[Patch], now: datetime) -> list[Patch]:
    Patch.objects.filter(pk__in=[patch.pk for patch in patches]).update(
        state=State.SENDING, lease=F("lease") + 1, leased_until=now + LEASE
    )
    for patch in patches:
        patch.state, patch.lease, patch.leased_until = State.SENDING, patch.lease + 1, now + LEASE
    return patches


def _open(project: Project, trace_id: UUID) -> list[Patch]:
    """The trace's patches whose way has not ended well, oldest first, locked; a trace seldom has any."""
    found = [pk for (pk,) in sql.rows(_OPEN, project.pk, trace_id)]
    return list(Patch.objects.filter(pk__in=found).order_by("pk")) if found else []


def _supersede(older: Sequence[Patch], new: Patch) -> None:
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state == State.SENDING]).update(superseded_by=new)
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state != State.SENDING]).update(
        state=State.SUPERSEDED, superseded_by=new
    )
