"""Helpers of these tests: put a patch, lease one, end its push."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing, outbox, results
from reviewapp.delivery.models import Patch
from reviewapp.delivery.results import PushResult
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError
from reviewapp.lib import clock
from reviewapp.traces.metadata import merge

TRACE_ID = UUID(int=7)


def put(project: Project, metadata: Mapping[str, Any], trace_id: UUID = TRACE_ID, *, tags: Sequence[str] = ()) -> Patch:
    """Put a patch in a transaction, as a save does."""
    with transaction.atomic():
        return outbox.put(project, trace_id, metadata, source="a test", tags=tags)


def put_many(project: Project, count: int) -> list[Patch]:
    """Put patches of as many traces, the first due first."""
    return [put(project, {"n": number}, uuid4()) for number in range(count)]


def lease_patch(patch: Patch) -> Patch:
    """Lease the patch as a worker does; nothing else may be due."""
    leased = leasing.lease(1)
    assert [row.pk for row in leased] == [patch.pk]
    return leased[0]


def end_push(patch: Patch, error: LaminarError | None = None, *, key: LaminarKey | None = None) -> Patch:
    """Record one push of a leased patch and return its row."""
    results.record_pushes([PushResult(patch, key, clock.now(), 0.1, error)])
    return reload(patch)


def accept_patch(patch: Patch) -> Patch:
    """Lease a patch and record that Laminar accepted it."""
    return end_push(lease_patch(patch))


def make_due(patch: Patch) -> None:
    """Make the patch due now."""
    Patch.objects.filter(pk=patch.pk).update(due_at=clock.now() - timedelta(seconds=1))


def reload(patch: Patch) -> Patch:
    """The current row."""
    return Patch.objects.get(pk=patch.pk)


def withdraw_patch(patch: Patch) -> Mapping[str, Any] | None:
    """Withdraw the patch. Returns the values it carried, None if it is too late."""
    with transaction.atomic():
        merge.lock_trace(patch.project, patch.trace_id)
        return outbox.withdraw(patch.project, patch)
