"""Read pushed values back: Laminar's 200 means queued, only the trace itself says applied."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from reviewapp.delivery import schedule
from reviewapp.delivery.models import Attempt, Patch, Reason, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import canonical_json, clock
from reviewapp.traces import metadata
from reviewapp.traces.models import Trace

# One query asks for this many traces; its answer stays small.
BATCH = 200
# While a read is under way no other worker repeats it; after a failed one the rows come up again.
TAKEN = timedelta(seconds=20)
# An ingest-only key cannot read: the rows stay accepted and are looked at again when the key changes.
WITHOUT_READING = timedelta(days=1)


def take() -> list[Patch]:
    """Accepted patches whose values should show by now, taken for one read."""
    now = clock.now()
    due = Patch.objects.filter(state=State.ACCEPTED, due_at__lte=now).order_by("due_at", "pk")
    if not due.exists():
        return []
    with transaction.atomic():
        rows = list(due.select_related("project").select_for_update(skip_locked=True, of=("self",))[:BATCH])
        Patch.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=now + TAKEN)
    return rows


def set_aside(patches: Sequence[Patch]) -> None:
    """Leave patches accepted for now: the key in use cannot read them back."""
    _of(patches).update(due_at=clock.now() + WITHOUT_READING)


def resume() -> None:
    """Look again at patches that an ingest-only key could not read, once their project has a full key."""
    aside = Patch.objects.filter(state=State.ACCEPTED, due_at__gt=clock.now() + WITHOUT_READING / 2)
    if aside.exists():
        readable = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL).values("project")
        aside.filter(project__in=readable).update(due_at=clock.now())


def mark_read(patches: Sequence[Patch], found: Mapping[UUID, str], seconds: float) -> None:
    """Confirm each patch whose every value stands in its trace's metadata text; look again later for the others."""
    seen = [patch for patch in patches if holds(found.get(patch.trace_id, "{}"), patch)]
    with transaction.atomic():
        for patch in seen:
            _confirm(patch, seconds)
        for patch in patches:
            if patch not in seen:
                _look_again(patch, found.get(patch.trace_id), seconds)


def holds(text: str, patch: Patch) -> bool:
    """Whether a metadata text has every key of the patch with the patch's value, however numbers are spelled."""
    members = canonical_json.raw_members(text)
    return all(_same(members.get(key), value) for key, value in patch.values.items())


def _same(raw: str | None, value: object) -> bool:
    if raw is None:
        return False
    try:
        return canonical_json.dumps(canonical_json.loads(raw)) == canonical_json.dumps(value)
    except canonical_json.NotCanonical:
        return False


def _confirm(patch: Patch, seconds: float) -> None:
    if not _of([patch]).update(state=State.CONFIRMED, confirmed_at=clock.now(), last_error=""):
        return
    _note(patch, seconds, "Every value stands in the trace.")
    trace = Trace.objects.select_for_update().filter(project=patch.project_id, trace_id=patch.trace_id).first()
    if trace is not None:
        Trace.objects.filter(pk=trace.pk).update(unconfirmed=metadata.without(trace.unconfirmed, patch.values))


def _look_again(patch: Patch, text: str | None, seconds: float) -> None:
    said = (
        "The trace does not show the values yet." if text is not None else "Laminar's SQL does not show the trace yet."
    )
    wait = schedule.after_read(patch.reads + 1)
    now = clock.now()
    if wait is not None:
        _of([patch]).update(reads=F("reads") + 1, due_at=now + wait)
        return
    _note(patch, seconds, said)
    if patch.sends < schedule.SENDS:
        _of([patch]).update(state=State.WAITING, due_at=now, reads=0, last_error=f"{said} It is sent again.")
    else:
        _of([patch]).update(state=State.PARKED, reason=Reason.UNCONFIRMED, last_error=said)


def _of(patches: Sequence[Patch]) -> QuerySet[Patch]:
    return Patch.objects.filter(pk__in=[patch.pk for patch in patches], state=State.ACCEPTED)


def _note(patch: Patch, seconds: float, outcome: str) -> None:
    Attempt.objects.create(
        patch=patch, act=Attempt.Act.READ, at=clock.now(), seconds=seconds, status=200, outcome=outcome
    )
