"""Put a patch into the outbox, withdraw it, record its outcome, retry it. The row is the only truth.

Each function is one short transaction; none talks to Laminar.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.traces.metadata.merge import lock_trace

# The database's own defaults fill in the counters and the empty texts.
_INSERT_PATCH = """
    INSERT INTO reviewapp_patch (project_id, trace_id, metadata, carried, tags, source, state, created_at, due_at)
    VALUES (%s, %s, %s, %s, %s, %s, 'waiting', %s, %s) RETURNING id
"""
_LOCK_SUPERSEDABLE = """
    SELECT * FROM reviewapp_patch
    WHERE project_id = %s AND trace_id = %s AND state IN ('waiting', 'sending', 'accepted', 'parked')
    ORDER BY id FOR UPDATE
"""


def put(
    project: Project,
    trace_id: UUID,
    metadata: Mapping[str, Any],
    *,
    source: str,
    tags: Sequence[str] = (),
    delay: timedelta = timedelta(0),
) -> Patch:
    """Write one patch to push after a time, in the caller's transaction; it stands when that commits.

    Older patches of the trace that are still on their way are superseded, and this one carries their
    keys and tags: each push counts as a span of the trace there, and the last one must leave nothing out.
    Raises canonical_json.NotCanonical.
    """
    with transaction.atomic(savepoint=False):
        # Whoever patches a trace goes one after another: two at once would not see, and not carry, each other's keys.
        lock_trace(project, trace_id)
        now = clock.now()
        older = _lock_supersedable(project, trace_id)
        older = [patch for patch in older if patch.state != State.PARKED or patch.is_said_by(metadata, tags)]
        carried: dict[str, Any] = {}
        names: list[str] = []
        for patch in older:
            carried.update(patch.values)
            # What Laminar took it has: tags that came twice would stand there twice.
            names += patch.tag_names if patch.has_tags_to_send else []
        text = canonical_json.dumps({**carried, **metadata})
        tags_text = canonical_json.dumps(list(dict.fromkeys([*names, *tags]))) if names or tags else "[]"
        # What the worker could not read would be found by it alone; here somebody is told.
        canonical_json.loads(text)
        only_carried = canonical_json.dumps(sorted(carried.keys() - metadata.keys()))
        new = Patch(
            project=project, trace_id=trace_id, metadata=text, carried=only_carried, tags=tags_text, source=source,
            created_at=now, due_at=now + delay,
        )  # fmt: skip
        new.pk = sql.fetch_rows(
            _INSERT_PATCH, project.pk, trace_id, text, only_carried, tags_text, source, now, new.due_at
        )[0][0]
        if older:
            _supersede(older, new)
    return new


def withdraw(project: Project, patch: Patch) -> dict[str, Any] | None:
    """Take back a patch that nobody has tried to push yet, in the caller's transaction, its trace held.

    Returns the values of older patches that it carried: they are put on their way again. None when it is too late.
    """
    # The number only grows: whoever once held the row, and died, may have sent it.
    fresh = Patch.objects.filter(pk=patch.pk, state=State.WAITING, lease=0)
    if not fresh.update(state=State.SUPERSEDED, last_error="Undone before it was sent."):
        return None
    carried: dict[str, Any] = {}
    older = list(Patch.objects.filter(superseded_by=patch).order_by("pk"))
    for one in older:
        carried.update(one.values)
    # Tags that Laminar took were not carried.
    names = [name for one in older for name in one.tag_names if name in patch.tag_names]
    if carried or names:
        again = put(project, patch.trace_id, carried, tags=names, source=older[-1].source)
        Patch.objects.filter(pk=patch.pk).update(superseded_by=again)
    return carried


def record_outcomes(patches: Sequence[Patch], **changes: Any) -> set[int]:
    """Write the same about many leased patches; the keys of those whose lease held and that no newer one superseded."""
    leases = {patch.pk: patch.lease for patch in patches}
    mine = Patch.objects.select_for_update().filter(pk__in=leases, state=State.SENDING, superseded_by=None)
    kept = {pk for pk, lease in mine.order_by("pk").values_list("pk", "lease") if leases[pk] == lease}
    if kept:
        Patch.objects.filter(pk__in=kept).update(leased_until=None, **changes)
    return kept


def record_outcome(patch: Patch, **changes: Any) -> bool:
    """Write what came of a leased patch; False when the lease was lost and nothing was written.

    A patch superseded while it was under way ends here, whatever came of it: the newer carries its keys.
    """
    mine = Patch.objects.filter(pk=patch.pk, state=State.SENDING, lease=patch.lease)
    if mine.filter(superseded_by=None).update(**{"leased_until": None, **changes}):
        return True
    ended = mine.update(**{**changes, "state": State.SUPERSEDED, "reason": "", "leased_until": None})
    if ended and patch.tags != "[]" and changes.get("state") == State.ACCEPTED:
        _drop_sent_tags(patch)
    return bool(ended)


def retry(project: Project, patch_ids: Sequence[int], actor: str) -> int:
    """Send parked or held-off patches now; how many. What a newer patch has said since is not overwritten."""
    count = 0
    # Traces in one order, as whoever locks several does.
    for patch in Patch.objects.filter(project=project, pk__in=patch_ids).order_by("trace_id", "pk"):
        count += _retry_one(project, patch, actor)
    return count


def is_deadlock(error: OperationalError) -> bool:
    """Whether PostgreSQL ended this transaction since two waited for each other (SQLSTATE 40P01)."""
    return getattr(error.__cause__, "sqlstate", "") == "40P01"


def _retry_one(project: Project, patch: Patch, actor: str) -> int:
    now = clock.now()
    if patch.state == State.WAITING:
        return Patch.objects.filter(pk=patch.pk, state=State.WAITING).update(due_at=now)
    with transaction.atomic():
        lock_trace(project, patch.trace_id)
        row = Patch.objects.select_for_update().filter(pk=patch.pk, state=State.PARKED).first()
        if row is None:
            return 0
        # What was withdrawn or left out never says what it held; what was replaced, its carrier says.
        newer = Patch.objects.filter(project=project, trace_id=row.trace_id, pk__gt=row.pk).order_by("pk")
        newer = newer.exclude(state=State.SUPERSEDED)
        since = {key for later in newer for key in later.values}
        left = {key: value for key, value in row.values.items() if key not in since}
        if not left and not row.has_tags_to_send:
            Patch.objects.filter(pk=row.pk).update(state=State.SUPERSEDED, superseded_by=newer.last(), reason="")
            return 0
        return Patch.objects.filter(pk=row.pk).update(
            state=State.WAITING, metadata=canonical_json.dumps(left), due_at=now,
            failures=0, misses=0, reads=0, reason="",
            # What Laminar took of metadata and tags, and cannot be sure to lack, is not sent to it twice.
            sends=int(row.tags != "[]" and row.sends > 0),
            accepted_at=row.accepted_at if row.lacks_only_tags else None,
            source=f"{row.source}, retried by {actor}"[:160],
        )  # fmt: skip


def _lock_supersedable(project: Project, trace_id: UUID) -> list[Patch]:
    """The trace's patches whose way has not ended well, oldest first, locked; a trace seldom has any."""
    return sql.fetch_objects(Patch, _LOCK_SUPERSEDABLE, project.pk, trace_id)


def _drop_sent_tags(patch: Patch) -> None:
    """Laminar took the tags of a patch while newer ones that carry them waited: these send them no more."""
    newer = Patch.objects.filter(project=patch.project_id, trace_id=patch.trace_id, state=State.WAITING)
    # One that is being withdrawn in this moment is left: to wait for it could be a ring.
    for one in newer.filter(pk__gt=patch.pk).exclude(tags="[]").select_for_update(skip_locked=True):
        left = [name for name in one.tag_names if name not in patch.tag_names]
        Patch.objects.filter(pk=one.pk).update(tags=canonical_json.dumps(left))


def _supersede(older: Sequence[Patch], new: Patch) -> None:
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state == State.SENDING]).update(superseded_by=new)
    Patch.objects.filter(pk__in=[patch.pk for patch in older if patch.state != State.SENDING]).update(
        state=State.SUPERSEDED, superseded_by=new
    )
