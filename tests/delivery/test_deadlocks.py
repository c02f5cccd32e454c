"""Concurrent saves, read-backs and pulls of the same traces: none deadlocks."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connections, transaction

from reviewapp.accounts.models import Project
from reviewapp.delivery import confirmation, leasing, outbox
from reviewapp.delivery.intake import put_patches
from reviewapp.delivery.models import Patch, State
from reviewapp.delivery.patch_validation import PatchInput
from reviewapp.lib import clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull, storing
from tests.traces.rows import trace_row

TRACES = [UUID(int=number) for number in range(1, 7)]
ROUNDS = 25


@pytest.mark.django_db(transaction=True)
def test_it_never_deadlocks_saves_reads_and_pulls(project: Project) -> None:
    rng = random.Random(7)

    def save() -> None:
        trace_id, values = rng.choice(TRACES), {"n": rng.random(), "m": rng.randrange(ROUNDS * 9)}
        with transaction.atomic():
            locked_trace = merge.lock_trace(project, trace_id)
            outbox.put(project, trace_id, values, source="a test")
            merge.apply_patch(project, locked_trace, values)

    def put_several() -> None:
        patches = [PatchInput(trace_id, {"m": rng.randrange(ROUNDS * 9)}) for trace_id in rng.sample(TRACES, 4)]
        put_patches(project, patches, source="a test")

    def send() -> None:
        for patch in leasing.lease(6):
            outbox.record_outcome(patch, state=State.ACCEPTED)

    def read_back() -> None:
        # One by one: a statement over many rows locks them in any order, and the worker repeats such a statement.
        for patch in Patch.objects.filter(state=State.ACCEPTED):
            Patch.objects.filter(pk=patch.pk, state=State.ACCEPTED).update(due_at=clock.now())
        patches = confirmation.select_due()
        confirmation.record_readback(patches, {patch.trace_id: patch.metadata for patch in patches}, 0.1)

    def pull_some() -> None:
        pull.request_pull(project, rng.sample(TRACES, 3))
        storing.store_traces(
            project, [trace_row(trace_id, f'{{"a":{rng.random()}}}') for trace_id in rng.sample(TRACES, 5)]
        )

    actions = [save, save, put_several, send, read_back, pull_some, pull_some]
    with ThreadPoolExecutor(len(actions)) as threads:
        for future in [threads.submit(_repeat, action) for action in actions]:
            future.result(60)
    send()
    read_back()
    assert set(Patch.objects.values_list("state", flat=True)) == {State.CONFIRMED, State.SUPERSEDED}
    assert not Trace.objects.exclude(unconfirmed="{}").exists()


@pytest.mark.django_db(transaction=True)
def test_it_never_deadlocks_requesting_and_storing_a_new_trace(project: Project) -> None:
    """Both need a row that exists and one that does not; both wait for the first until both have started."""
    existing, new = TRACES[0], TRACES[1]
    storing.store_traces(project, [trace_row(existing)])
    actions = [
        lambda: storing.store_traces(project, [trace_row(existing, '{"a":1}'), trace_row(new)]),
        lambda: pull.request_pull(project, [existing, new]),
    ]
    with ThreadPoolExecutor(len(actions)) as threads:
        with transaction.atomic():
            merge.lock_trace(project, existing)
            futures = []
            for action in actions:
                futures.append(threads.submit(_run_and_close, action))
                time.sleep(0.3)
        for future in futures:
            future.result(60)
    assert Trace.objects.filter(is_kept=True, start_time__isnull=False).count() == 2


def _run_and_close(action: Callable[[], object]) -> None:
    try:
        action()
    finally:
        connections.close_all()


def _repeat(action: Callable[[], None]) -> None:
    try:
        for _ in range(ROUNDS):
            action()
    finally:
        connections.close_all()
