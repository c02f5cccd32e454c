"""Take in patches of other programs and bulk pushes: same outbox, order and confirmation as a review's patch."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction

from reviewapp.accounts.models import Project
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox, queries
from reviewapp.delivery.models import Bulk, IdempotentPatch, Patch
from reviewapp.delivery.patch_validation import PatchInput
from reviewapp.lib import sql
from reviewapp.lib.shortening import shorten
from reviewapp.traces.metadata import merge

# Per transaction: on SQLite every other save waits for it, about one millisecond per patch.
MAX_BATCH_SIZE = 100
# Another call may put the same key at the same time, or lock the same traces in another order.
MAX_ATTEMPTS = 5


class PutResult(NamedTuple):
    """The patch of one input; `is_new` is False if it had been put before under the same idempotency key."""

    patch: Patch
    is_new: bool


class IdempotencyKeyReusedError(ValueError):
    """Idempotency keys belong to other patches; nothing was put.

    `sentences` has one for each of these inputs, by its index from 0; `position` is the first index.
    """

    def __init__(self, inputs: Mapping[int, PatchInput]) -> None:
        self.sentences = {
            index: f"The idempotency key “{shorten(patch_input.idempotency_key, 80)}” was already used for another"
            " patch. Use a new key for this one."
            for index, patch_input in inputs.items()
        }
        self.position = min(inputs)
        super().__init__(self.sentences[self.position])


class BulkUndoneError(Exception):
    """The bulk has been undone; no more of it is put."""


def put_patches(
    project: Project,
    inputs: Sequence[PatchInput],
    *,
    source: str,
    bulk: Bulk | None = None,
    delay: timedelta = timedelta(0),
) -> list[PutResult]:
    """Put these patches into the outbox, all or none, in the given order; they are committed when this returns.

    `source` names the caller, for example `token:ci`; the patches are pushed after `delay`.
    Raises IdempotencyKeyReusedError and BulkUndoneError.
    """
    for attempts_left in reversed(range(MAX_ATTEMPTS)):
        try:
            with transaction.atomic():
                return _put(project, inputs, source, bulk, delay)
        except (IntegrityError, OperationalError) as error:
            if not attempts_left or (isinstance(error, OperationalError) and not outbox.is_deadlock(error)):
                raise
    raise AssertionError("the last attempt returns or raises")


def count_existing(project: Project, inputs: Sequence[PatchInput]) -> int:
    """Count the inputs that have been put before under their idempotency keys."""
    keys = [patch_input.idempotency_key for patch_input in inputs if patch_input.idempotency_key]
    batches = (keys[start : start + MAX_BATCH_SIZE] for start in range(0, len(keys), MAX_BATCH_SIZE))
    return sum(IdempotentPatch.objects.filter(project=project, idempotency_key__in=batch).count() for batch in batches)


def find_carrier(patch: Patch) -> Patch | None:
    """The newest patch that carries this one's keys, at the end of the chain that superseded it; None without one."""
    if patch.superseded_by_id is None:
        return None
    return Patch.objects.filter(pk__in=[pk for (pk,) in sql.fetch_rows(queries.CARRIER, patch.pk)]).first()


def _put(
    project: Project, inputs: Sequence[PatchInput], source: str, bulk: Bulk | None, delay: timedelta
) -> list[PutResult]:
    if bulk is not None and not Bulk.objects.select_for_update().filter(pk=bulk.pk, undone_at=None).exists():
        raise BulkUndoneError
    keys = [patch_input.idempotency_key for patch_input in inputs if patch_input.idempotency_key]
    existing = IdempotentPatch.objects.select_related("patch").filter(project=project, idempotency_key__in=keys)
    by_key = {idempotent_patch.idempotency_key: idempotent_patch for idempotent_patch in existing}
    _check_keys(inputs, {key: idempotent_patch.digest for key, idempotent_patch in by_key.items()})
    merge.create_missing_traces(project, [patch_input.trace_id for patch_input in inputs])
    results: dict[int, PutResult] = {}
    applied: list[tuple[UUID, Mapping[str, Any], int]] = []
    new_keys: list[IdempotentPatch] = []
    # Lock traces in a fixed order, so concurrent writers cannot deadlock; patches of one trace keep the given order.
    for index, patch_input in sorted(enumerate(inputs), key=lambda indexed: indexed[1].trace_id):
        earlier = by_key.get(patch_input.idempotency_key)
        if earlier is not None:
            results[index] = PutResult(earlier.patch, False)
            continue
        patch = outbox.put(
            project, patch_input.trace_id, patch_input.metadata, source=shorten(source, 160), tags=patch_input.tags,
            delay=delay,
        )  # fmt: skip
        results[index] = PutResult(patch, True)
        applied.append((patch_input.trace_id, patch_input.metadata, patch.pk))
        if patch_input.idempotency_key:
            new_keys.append(_make_key(patch_input, patch, bulk))
            by_key[patch_input.idempotency_key] = new_keys[-1]
    previous_values = merge.apply_patches(project, applied)
    if bulk is not None:
        new_indexes = (index for index in results if results[index].is_new)
        for index, members in zip(new_indexes, previous_values, strict=True):
            by_key[inputs[index].idempotency_key].previous_values = json.dumps(members)
    # Insert keys after all traces are locked, and sorted: a call that waits for a key holds none another call needs.
    IdempotentPatch.objects.bulk_create(sorted(new_keys, key=lambda new_key: new_key.idempotency_key))
    _record_event(project, source, [result.patch for result in results.values() if result.is_new])
    return [results[index] for index in range(len(inputs))]


def _check_keys(inputs: Sequence[PatchInput], digests: dict[str, str]) -> None:
    """Check that each key belongs to one content: of an earlier call, or of the first input with it.

    Raises IdempotencyKeyReusedError.
    """
    reused = {
        index: patch_input
        for index, patch_input in enumerate(inputs)
        if (key := patch_input.idempotency_key) and digests.setdefault(key, patch_input.digest) != patch_input.digest
    }
    if reused:
        raise IdempotencyKeyReusedError(reused)


def _make_key(patch_input: PatchInput, patch: Patch, bulk: Bulk | None) -> IdempotentPatch:
    return IdempotentPatch(
        project=patch.project, idempotency_key=patch_input.idempotency_key, digest=patch_input.digest, patch=patch,
        bulk=bulk,
    )  # fmt: skip


def _record_event(project: Project, source: str, patches: Sequence[Patch]) -> None:
    """Record one audit event for the whole call."""
    if patches:
        pks = [patch.pk for patch in patches]
        target = f"patch:{pks[0]}" if len(pks) == 1 else "deliveries"
        record(project, shorten(source, 120), "saved patches", target, count=len(pks), first=min(pks), last=max(pks))
