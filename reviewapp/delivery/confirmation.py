"""Read pushed values back: Laminar's 200 means queued, only the trace itself shows that they were applied."""

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
from reviewapp.delivery import outbox, outcome_log, parking, schedule
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.shortening import shorten
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace

# Traces per query, so that the response stays small.
BATCH_SIZE = 200
# No other worker repeats a read for this long: longer than the longest read.
READBACK_LEASE = timedelta(seconds=40)
# After a failed read, all of the project's patches wait this long.
RETRY_DELAY = timedelta(seconds=15)
# An ingest-only key cannot read: patches stay accepted, due this far ahead, until the project has a full key.
NO_READ_ACCESS_DELAY = timedelta(days=1)
# How long a trace without a readable response waits. No patch that is read back is ever due later than this.
UNREADABLE_DELAY = timedelta(minutes=5)
CONFIRMED_MESSAGE = "The trace has every value."
INTERNAL_ERROR_MESSAGE = (
    "Laminar accepted the values, but an internal error keeps them from being confirmed (see the worker's log)."
    " Other deliveries are not affected."
)


def select_due(busy: Collection[int] = ()) -> list[Patch]:
    """Claim accepted patches that are due for a read-back, except in projects that are `busy` or have an open breaker.

    The claim sets their `due_at`: only the worker that holds this value records a read-back without the values.
    """
    now = clock.now()
    blocked = Breaker.objects.filter(open_until__gt=now).values("project")
    due = Patch.objects.filter(state=State.ACCEPTED, due_at__lte=now).exclude(project__in=busy)
    due = due.exclude(project__in=blocked).order_by("due_at", "pk")
    if not due.exists():
        return []
    with transaction.atomic():
        patches = list(due.select_related("project").select_for_update(skip_locked=True, of=("self",))[:BATCH_SIZE])
        Patch.objects.filter(pk__in=[patch.pk for patch in patches]).update(due_at=now + READBACK_LEASE)
    for patch in patches:
        patch.due_at = now + READBACK_LEASE
    return patches


def reschedule(patches: Sequence[Patch]) -> None:
    """Leave patches accepted for now: the active key cannot read them back."""
    _still_claimed(patches).update(due_at=clock.now() + NO_READ_ACCESS_DELAY)


def resume_with_full_key() -> None:
    """Make patches that an ingest-only key could not read due again, once their project has a full key."""
    deferred = Patch.objects.filter(state=State.ACCEPTED, due_at__gt=clock.now() + UNREADABLE_DELAY)
    if deferred.exists():
        readable = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL).values("project")
        deferred.filter(project__in=readable).update(due_at=clock.now())


def reschedule_failed(project: Project, patches: Sequence[Patch], error: str) -> None:
    """Record why a read failed, and delay the read-back of all of the project's patches."""
    retry_at = clock.now() + RETRY_DELAY
    _still_claimed(patches).update(due_at=retry_at, last_error=shorten(error, 600))
    Patch.objects.filter(project=project, state=State.ACCEPTED, due_at__lt=retry_at).update(due_at=retry_at)


def reschedule_unreadable(patch: Patch, error: str) -> None:
    """Delay a patch whose trace alone makes Laminar's response too large or too slow to read."""
    _still_claimed([patch]).update(due_at=clock.now() + UNREADABLE_DELAY, last_error=shorten(error, 600))


def record_internal_error(patch: Patch) -> None:
    """Park a patch whose read-back cannot be recorded, so that it holds up no other."""
    _park(patch, INTERNAL_ERROR_MESSAGE)


def record_readback(patches: Sequence[Patch], metadata_by_trace: Mapping[UUID, str], seconds: float) -> None:
    """Confirm each patch whose values are all in its trace's metadata text; schedule another read for the others."""
    project_ids = {patch.project_id for patch in patches}
    for patch in [patch for patch in patches if not patch.is_readable]:
        _park(patch, outbox.UNREADABLE_MESSAGE)
    patches = [patch for patch in patches if patch.is_readable]
    applied = [patch for patch in patches if has_patch_values(metadata_by_trace.get(patch.trace_id, "{}"), patch)]
    applied_pks = {patch.pk for patch in applied}
    with transaction.atomic():
        # Lock traces before patches, as a save does, so that the two cannot deadlock.
        affected = Trace.objects.filter(project__in=project_ids)
        affected = affected.filter(trace_id__in=[patch.trace_id for patch in applied])
        rows = affected.select_for_update().order_by("trace_id").only("project_id", "trace_id", "unconfirmed")
        traces = {(trace.project_id, trace.trace_id): trace for trace in rows}
        _confirm(applied, traces, seconds)
        for patch in patches:
            if patch.pk not in applied_pks:
                _record_missing_values(patch, metadata_by_trace.get(patch.trace_id), seconds)
        respelled = [patch for patch in applied if _is_respelled(patch, metadata_by_trace[patch.trace_id])]
        if respelled:
            # The mirror has to store Laminar's spelling, because a filter compares texts.
            pks = [trace.pk for patch in respelled if (trace := traces.get((patch.project_id, patch.trace_id)))]
            Trace.objects.filter(pk__in=pks).update(read_due_at=clock.now())
        if traces:
            _recheck_older_drift(project_ids, [trace_id for _, trace_id in traces])


def has_patch_values(text: str, patch: Patch) -> bool:
    """Whether a metadata text has every key of the patch with the patch's value, however numbers are spelled."""
    members = merge.parse_members(text)
    return all(key in members and is_same_value(members[key], value) for key, value in patch.values.items())


def is_same_value(raw: str, value: object) -> bool:
    """Whether a JSON text has this value, however its numbers are spelled."""
    try:
        return _is_equal(canonical_json.loads(raw), value)
    except canonical_json.InvalidJSONError:
        return False


def _is_equal(actual: Any, expected: Any) -> bool:
    """Equality of JSON values at any depth: 1 equals 1.0, true does not equal 1."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(_is_equal(actual[key], expected[key]) for key in expected)
    if isinstance(actual, list) and isinstance(expected, list):
        return len(actual) == len(expected) and all(map(_is_equal, actual, expected))
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, int) and isinstance(expected, float):
        # jsonb writes 1e300 with all its digits: compare the number we sent, not its text.
        return Decimal(actual) == Decimal(repr(expected))
    return bool(actual == expected)


def _confirm(patches: Sequence[Patch], traces: Mapping[tuple[int, UUID], Trace], seconds: float) -> None:
    """Confirm these patches with a few statements for all of them; `traces` are their traces, locked."""
    pks = [patch.pk for patch in patches]
    accepted = Patch.objects.select_for_update().filter(pk__in=pks, state=State.ACCEPTED).order_by("pk")
    accepted_pks = set(accepted.values_list("pk", flat=True)) if pks else set()
    if not accepted_pks:
        return
    now = clock.now()
    changes = {"confirmed_at": now, "watch_due_at": schedule.next_drift_check(now, now), "last_error": ""}
    Patch.objects.filter(pk__in=accepted_pks).update(state=State.CONFIRMED, **changes)
    confirmed = [patch for patch in patches if patch.pk in accepted_pks]
    Attempt.objects.bulk_create([_build_attempt(patch, seconds, CONFIRMED_MESSAGE) for patch in confirmed])
    # A response that Laminar gave before this read may lack our values.
    asked_at = Greatest(Coalesce("asked_at", read_at := now - timedelta(seconds=seconds)), read_at)
    # Most traces have no other unconfirmed values: one statement updates all of these.
    pks_by_unconfirmed = defaultdict(list)
    for patch in confirmed:
        if trace := traces.get((patch.project_id, patch.trace_id)):
            trace.unconfirmed = merge.remove_patch(trace.unconfirmed, patch.values)
    for trace in traces.values():
        pks_by_unconfirmed[trace.unconfirmed].append(trace.pk)
    for text, pks in pks_by_unconfirmed.items():
        Trace.objects.filter(pk__in=pks).update(unconfirmed=text, asked_at=asked_at)


def _is_respelled(patch: Patch, text: str) -> bool:
    """Whether a metadata text that has the patch's values spells one of them differently."""
    members = merge.parse_members(text)
    return any(members[key] != raw for key, raw in patch.raw_values.items())


def _recheck_older_drift(project_ids: Collection[int], trace_ids: Collection[UUID]) -> None:
    """Check older drifted patches of these traces again now: newer values of ours may have ended the drift."""
    drifted = Patch.objects.filter(project__in=project_ids, drifted_at__isnull=False)
    drifted.filter(trace_id__in=trace_ids).update(watch_due_at=clock.now())


def _record_missing_values(patch: Patch, text: str | None, seconds: float) -> None:
    """Read a patch without its values again later; after the last read send it again, after the last send park it."""
    outcome = (
        "The trace does not show the values yet." if text is not None else "Laminar's SQL does not show the trace yet."
    )
    delay = schedule.read_delay(patch.reads + 1)
    now = clock.now()
    if delay is not None:
        _still_claimed([patch]).update(reads=F("reads") + 1, due_at=now + delay)
        return
    if patch.sends < schedule.MAX_SENDS:
        error = f"{outcome} It is sent again."
        changes = {"state": State.WAITING, "due_at": now, "accepted_at": None, "reads": 0, "last_error": error}
    else:
        changes = {"state": State.PARKED, "reason": Reason.UNCONFIRMED, "last_error": outcome}
    with transaction.atomic():
        is_recorded = _still_claimed([patch]).update(**changes)
        if is_recorded:
            _build_attempt(patch, seconds, outcome).save(force_insert=True)
            if changes["state"] == State.PARKED:
                parking.emit_parked(patch, Reason.UNCONFIRMED, outcome)
    if is_recorded and changes["state"] == State.PARKED:
        outcome_log.log_parked(patch.project_id, patch.pk, outcome)


def _park(patch: Patch, message: str) -> None:
    with transaction.atomic():
        changes = {"state": State.PARKED, "reason": Reason.UNREADABLE, "last_error": message}
        is_parked = _still_claimed([patch]).update(**changes)
        if is_parked:
            parking.emit_parked(patch, Reason.UNREADABLE, message)
    if is_parked:
        outcome_log.log_parked(patch.project_id, patch.pk, message)


def _still_claimed(patches: Sequence[Patch]) -> QuerySet[Patch]:
    """The rows of these patches that no one else has claimed, or sent again, in the meantime."""
    claimed = Patch.objects.filter(state=State.ACCEPTED, due_at__in={patch.due_at for patch in patches})
    return claimed.filter(pk__in=[patch.pk for patch in patches])


def _build_attempt(patch: Patch, seconds: float, outcome: str) -> Attempt:
    return Attempt(patch=patch, act=Attempt.Act.READ, at=clock.now(), seconds=seconds, status=200, outcome=outcome)
