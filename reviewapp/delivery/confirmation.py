"""Read pushed values back: Laminar's 200 means queued, only the trace itself says applied."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Greatest

from reviewapp.accounts.models import Project
from reviewapp.delivery import schedule
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace

# One query asks for this many traces; its answer stays small.
BATCH_SIZE = 200
# While a read is under way no other worker repeats it: longer than the longest read.
READBACK_LEASE = timedelta(seconds=40)
# After a read that failed, all of the project's rows wait this long.
RETRY_DELAY = timedelta(seconds=15)
# An ingest-only key cannot read: the rows stay accepted, this far off, until the project has a full key.
WITHOUT_READING = timedelta(days=1)
# A trace that Laminar answers nothing readable for waits so long, and no row that is read back is ever due later.
UNREADABLE_DELAY = timedelta(minutes=5)


def select_due(busy: Collection[int] = ()) -> list[Patch]:
    """Accepted patches whose values should show by now, taken for one read; none of a project `busy` or held back.

    Their `due_at` is set to a moment of this taking: only who holds it decides what comes of a read in vain.
    """
    now = clock.now()
    held = Breaker.objects.filter(open_until__gt=now).values("project")
    due = Patch.objects.filter(state=State.ACCEPTED, due_at__lte=now).exclude(project__in=busy)
    due = due.exclude(project__in=held).order_by("due_at", "pk")
    if not due.exists():
        return []
    with transaction.atomic():
        rows = list(due.select_related("project").select_for_update(skip_locked=True, of=("self",))[:BATCH_SIZE])
        Patch.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=now + READBACK_LEASE)
    for row in rows:
        row.due_at = now + READBACK_LEASE
    return rows


def reschedule(patches: Sequence[Patch]) -> None:
    """Leave patches accepted for now: the key in use cannot read them back."""
    _of(patches).update(due_at=clock.now() + WITHOUT_READING)


def resume_with_full_key() -> None:
    """Look again at patches that an ingest-only key could not read, once their project has a full key."""
    aside = Patch.objects.filter(state=State.ACCEPTED, due_at__gt=clock.now() + UNREADABLE_DELAY)
    if aside.exists():
        readable = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL).values("project")
        aside.filter(project__in=readable).update(due_at=clock.now())


def reschedule_failed(project: Project, patches: Sequence[Patch], error: str) -> None:
    """Remember why a read failed; all of the project's patches are looked at again a while later."""
    later = clock.now() + RETRY_DELAY
    _of(patches).update(due_at=later, last_error=error[:600])
    Patch.objects.filter(project=project, state=State.ACCEPTED, due_at__lt=later).update(due_at=later)


def reschedule_unreadable(patch: Patch, error: str) -> None:
    """Leave a patch alone for a while whose trace by itself is more than Laminar's answer can be read of."""
    _of([patch]).update(due_at=clock.now() + UNREADABLE_DELAY, last_error=error[:600])


def record_readback(patches: Sequence[Patch], found: Mapping[UUID, str], seconds: float) -> None:
    """Confirm each patch whose every value stands in its trace's metadata text; look again later for the others."""
    project_ids = {patch.project_id for patch in patches}
    seen = {patch.pk for patch in patches if has_patch_values(found.get(patch.trace_id, "{}"), patch)}
    with transaction.atomic():
        # Traces before patches, as a save locks them: two orders could wait for each other.
        wanted = Trace.objects.filter(project__in=project_ids)
        wanted = wanted.filter(trace_id__in=[patch.trace_id for patch in patches if patch.pk in seen])
        rows = wanted.select_for_update().order_by("trace_id").only("project_id", "trace_id", "unconfirmed")
        traces = {(trace.project_id, trace.trace_id): trace for trace in rows}
        _confirm([patch for patch in patches if patch.pk in seen], traces, seconds)
        for patch in patches:
            if patch.pk not in seen:
                _look_again(patch, found.get(patch.trace_id), seconds)
        respelled = [patch for patch in patches if patch.pk in seen and _is_respelled(patch, found[patch.trace_id])]
        if respelled:
            # The mirror keeps Laminar's spelling: a filter compares texts.
            pks = [trace.pk for patch in respelled if (trace := traces.get((patch.project_id, patch.trace_id)))]
            Trace.objects.filter(pk__in=pks).update(read_due_at=clock.now())
        if traces:
            _watch_replaced(project_ids, [trace_id for _, trace_id in traces])


def has_patch_values(text: str, patch: Patch) -> bool:
    """Whether a metadata text has every key of the patch with the patch's value, however numbers are spelled."""
    members = merge.parse_members(text)
    return all(key in members and stands(members[key], value) for key, value in patch.values.items())


def stands(raw: str, value: object) -> bool:
    """Whether a JSON text is this value, however its numbers are spelled."""
    try:
        return _same(canonical_json.loads(raw), value)
    except canonical_json.InvalidJSONError:
        return False


def _same(there: Any, ours: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, also within; true is not 1."""
    if isinstance(there, dict) and isinstance(ours, dict):
        return there.keys() == ours.keys() and all(_same(there[key], ours[key]) for key in ours)
    if isinstance(there, list) and isinstance(ours, list):
        return len(there) == len(ours) and all(map(_same, there, ours))
    if isinstance(there, bool) or isinstance(ours, bool):
        return there is ours
    if isinstance(there, int) and isinstance(ours, float):
        # jsonb writes 1e300 with all its digits: the number, not its text, is what we sent.
        return Decimal(there) == Decimal(repr(ours))
    return bool(there == ours)


def _confirm(patches: Sequence[Patch], traces: Mapping[tuple[int, UUID], Trace], seconds: float) -> None:
    """Confirm these patches with a few statements for all of them; `traces` are theirs, locked."""
    pks = [patch.pk for patch in patches]
    still = Patch.objects.select_for_update().filter(pk__in=pks, state=State.ACCEPTED).order_by("pk")
    kept = set(still.values_list("pk", flat=True)) if pks else set()
    if not kept:
        return
    now = clock.now()
    changes = {"confirmed_at": now, "watch_due_at": schedule.next_drift_check(now, now), "last_error": ""}
    Patch.objects.filter(pk__in=kept).update(state=State.CONFIRMED, **changes)
    confirmed = [patch for patch in patches if patch.pk in kept]
    Attempt.objects.bulk_create([_read(patch, seconds, "Every value stands in the trace.") for patch in confirmed])
    # An answer that Laminar gave before this reading may lack our values.
    asked_at = Greatest(Coalesce("asked_at", read_at := now - timedelta(seconds=seconds)), read_at)
    # Most traces have nothing left that is not confirmed: one statement is for all of these.
    left = defaultdict(list)
    for patch in confirmed:
        if trace := traces.get((patch.project_id, patch.trace_id)):
            trace.unconfirmed = merge.remove_patch(trace.unconfirmed, patch.values)
    for trace in traces.values():
        left[trace.unconfirmed].append(trace.pk)
    for text, pks in left.items():
        Trace.objects.filter(pk__in=pks).update(unconfirmed=text, asked_at=asked_at)


def _is_respelled(patch: Patch, text: str) -> bool:
    """Whether a metadata text that holds the patch's values spells one of them in another way."""
    members = merge.parse_members(text)
    return any(members[key] != raw for key, raw in canonical_json.raw_members(patch.metadata).items())


def _watch_replaced(project_ids: Collection[int], trace_ids: Collection[UUID]) -> None:
    """Look again at older patches of these traces that had drifted: newer values of ours may have ended that."""
    drifted = Patch.objects.filter(project__in=project_ids, drifted_at__isnull=False)
    drifted.filter(trace_id__in=trace_ids).update(watch_due_at=clock.now())


def _look_again(patch: Patch, text: str | None, seconds: float) -> None:
    said = (
        "The trace does not show the values yet." if text is not None else "Laminar's SQL does not show the trace yet."
    )
    wait = schedule.read_delay(patch.reads + 1)
    now = clock.now()
    if wait is not None:
        _of([patch]).update(reads=F("reads") + 1, due_at=now + wait)
        return
    if patch.sends < schedule.MAX_SENDS:
        again = f"{said} It is sent again."
        changes = {"state": State.WAITING, "due_at": now, "accepted_at": None, "reads": 0, "last_error": again}
    else:
        changes = {"state": State.PARKED, "reason": Reason.UNCONFIRMED, "last_error": said}
    if _of([patch]).update(**changes):
        _read(patch, seconds, said).save(force_insert=True)


def _of(patches: Sequence[Patch]) -> QuerySet[Patch]:
    """The rows of these patches that nobody else has taken, or sent again, since."""
    as_taken = Patch.objects.filter(state=State.ACCEPTED, due_at__in={patch.due_at for patch in patches})
    return as_taken.filter(pk__in=[patch.pk for patch in patches])


def _read(patch: Patch, seconds: float, outcome: str) -> Attempt:
    return Attempt(patch=patch, act=Attempt.Act.READ, at=clock.now(), seconds=seconds, status=200, outcome=outcome)
