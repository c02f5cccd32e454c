"""Take patches of other programs: the same outbox, order and confirmation as a review's."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction

from reviewapp.accounts.models import Project
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox
from reviewapp.delivery.models import Bulk, IdempotentPatch, Patch
from reviewapp.delivery.patch_input import PatchInput
from reviewapp.lib import sql
from reviewapp.traces.metadata import merge

# In one transaction, at most: on SQLite everybody else's save waits for it, about a millisecond a patch.
MAX_BATCH_SIZE = 100
# Another call may put the same name in the same moment, or wait for our traces while we wait for its.
TRIES = 5
_CARRIER = """
    WITH RECURSIVE way (id, newer) AS (
        SELECT id, superseded_by_id FROM reviewapp_patch WHERE id = %s
        UNION
        SELECT patch.id, patch.superseded_by_id FROM reviewapp_patch patch JOIN way ON patch.id = way.newer
    )
    SELECT id FROM way WHERE newer IS NULL
"""


class PutResult(NamedTuple):
    """The patch of one that was handed over; not new when the same had been taken before under its name."""

    patch: Patch
    is_new: bool


class IdempotencyKeyReusedError(ValueError):
    """A name stands for another patch already; nothing was put. `place` is that of the one at fault, from 0."""

    def __init__(self, handed: PatchInput, place: int) -> None:
        super().__init__(
            f"The idempotency key “{handed.idempotency_key[:80]}” was already used for another patch."
            " Use a new key for this one."
        )
        self.position = place


class BulkUndoneError(Exception):
    """The bulk was undone meanwhile; nothing more of it is put."""


def put_patches(
    project: Project,
    handed: Sequence[PatchInput],
    *,
    source: str,
    bulk: Bulk | None = None,
    delay: timedelta = timedelta(0),
) -> list[PutResult]:
    """Put these patches on their way, all or none, in the order given; they stand when this returns.

    `source` is who handed them over, as `token:ci`; they are pushed `after` a time. Raises NameTaken, and Undone.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                return _put(project, handed, source, bulk, delay)
        except (IntegrityError, OperationalError) as error:
            if not tries_left or (isinstance(error, OperationalError) and not outbox.is_deadlock(error)):
                raise
    raise AssertionError("the last try returns or raises")


def count_existing(project: Project, handed: Sequence[PatchInput]) -> int:
    """How many of these had been put before, under their names."""
    names = [one.idempotency_key for one in handed if one.idempotency_key]
    parts = (names[start : start + MAX_BATCH_SIZE] for start in range(0, len(names), MAX_BATCH_SIZE))
    return sum(IdempotentPatch.objects.filter(project=project, idempotency_key__in=part).count() for part in parts)


def find_carrier(patch: Patch) -> Patch | None:
    """The newest patch that carries this one's keys, at the end of all that superseded it; None when none does."""
    if patch.superseded_by_id is None:
        return None
    return Patch.objects.filter(pk__in=[pk for (pk,) in sql.fetch_rows(_CARRIER, patch.pk)]).first()


def _put(
    project: Project, handed: Sequence[PatchInput], source: str, bulk: Bulk | None, after: timedelta
) -> list[PutResult]:
    if bulk is not None and not Bulk.objects.select_for_update().filter(pk=bulk.pk, undone_at=None).exists():
        raise BulkUndoneError
    names = [one.idempotency_key for one in handed if one.idempotency_key]
    known = {
        relay.idempotency_key: relay
        for relay in IdempotentPatch.objects.select_related("patch").filter(project=project, idempotency_key__in=names)
    }
    merge.create_missing_traces(project, [one.trace_id for one in handed])
    found: dict[int, PutResult] = {}
    new: list[tuple[UUID, Mapping[str, Any], int]] = []
    named: list[IdempotentPatch] = []
    # Traces in one order, as whoever locks several does; the patches of one stay in the order given.
    for place, one in sorted(enumerate(handed), key=lambda placed: placed[1].trace_id):
        before = known.get(one.idempotency_key)
        if before is not None:
            if before.digest != one.digest:
                raise IdempotencyKeyReusedError(one, place)
            found[place] = PutResult(before.patch, False)
            continue
        patch = outbox.put(project, one.trace_id, one.metadata, source=source[:160], tags=one.tags, delay=after)
        found[place] = PutResult(patch, True)
        new.append((one.trace_id, one.metadata, patch.pk))
        if one.idempotency_key:
            known[one.idempotency_key] = IdempotentPatch(
                project=project, idempotency_key=one.idempotency_key, digest=one.digest, patch=patch, bulk=bulk
            )
            named.append(known[one.idempotency_key])
    stood = merge.apply_patches(project, new)
    if bulk is not None:
        for place, members in zip((place for place in found if found[place].is_new), stood, strict=True):
            known[handed[place].idempotency_key].previous_values = json.dumps(members)
    # The names after all traces and in one order too: who waits for a name holds none that another waits for.
    IdempotentPatch.objects.bulk_create(sorted(named, key=lambda relay: relay.idempotency_key))
    _record(project, source, [one.patch for one in found.values() if one.is_new])
    return [found[place] for place in range(len(handed))]


def _record(project: Project, source: str, new: Sequence[Patch]) -> None:
    """One event for the whole call."""
    if new:
        numbers = [patch.pk for patch in new]
        target = f"patch:{numbers[0]}" if len(numbers) == 1 else "deliveries"
        record(project, source[:120], "relayed patches", target, count=len(new), first=min(numbers), last=max(numbers))
