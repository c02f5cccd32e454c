"""Saves, read-backs and pulls of the same traces at the same time: each waits its turn, none for ever."""

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
from reviewapp.delivery.patch_input import PatchInput
from reviewapp.lib import clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull
from tests.traces.rows import trace_row

TRACES = [UUID(int=number) for number in range(1, 7)]
ROUNDS = 25


@pytest.mark.django_db(transaction=True)
def test_they_never_wait_in_a_ring(project: Project) -> None:
    chance = random.Random(7)

    def save() -> None:
        trace_id, values = chance.choice(TRACES), {"n": chance.random(), "m": chance.randrange(ROUNDS * 9)}
        with transaction.atomic():
            held = merge.lock_trace(project, trace_id)
            outbox.put(project, trace_id, values, source="a test")
            merge.apply_patch(project, held, values)

    def hand_over() -> None:
        several = [PatchInput(each, {"m": chance.randrange(ROUNDS * 9)}) for each in chance.sample(TRACES, 4)]
        put_patches(project, several, source="a test")

    def send() -> None:
        for patch in leasing.lease(6):
            outbox.record_outcome(patch, state=State.ACCEPTED)

    def read_back() -> None:
        # One by one: a statement over many rows locks them in no order, and the worker does such a one again.
        for patch in Patch.objects.filter(state=State.ACCEPTED):
            Patch.objects.filter(pk=patch.pk, state=State.ACCEPTED).update(due_at=clock.now())
        taken = confirmation.select_due()
        confirmation.record_readback(taken, {patch.trace_id: patch.metadata for patch in taken}, 0.1)

    def pull_some() -> None:
        pull.request_pull(project, chance.sample(TRACES, 3))
        pull.store_traces(project, [trace_row(each, f'{{"a":{chance.random()}}}') for each in chance.sample(TRACES, 5)])

    acts = [save, save, hand_over, send, read_back, pull_some, pull_some]
    with ThreadPoolExecutor(len(acts)) as threads:
        for done in [threads.submit(_repeat, act) for act in acts]:
            done.result(60)
    send()
    read_back()
    assert set(Patch.objects.values_list("state", flat=True)) == {State.CONFIRMED, State.SUPERSEDED}
    assert not Trace.objects.exclude(unconfirmed="{}").exists()


@pytest.mark.django_db(transaction=True)
def test_those_who_want_and_who_store_the_same_new_trace_never_wait_in_a_ring(project: Project) -> None:
    """Both need the row that is here and one that nobody has; both wait for the first until both have begun."""
    here, new = TRACES[0], TRACES[1]
    pull.store_traces(project, [trace_row(here)])
    acts = [
        lambda: pull.store_traces(project, [trace_row(here, '{"a":1}'), trace_row(new)]),
        lambda: pull.request_pull(project, [here, new]),
    ]
    with ThreadPoolExecutor(len(acts)) as threads:
        with transaction.atomic():
            merge.lock_trace(project, here)
            begun = []
            for act in acts:
                begun.append(threads.submit(_closing, act))
                time.sleep(0.3)
        for done in begun:
            done.result(30)
    assert Trace.objects.filter(is_kept=True, start_time__isnull=False).count() == 2


def _closing(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connections.close_all()


def _repeat(act: Callable[[], None]) -> None:
    try:
        for _ in range(ROUNDS):
            act()
    finally:
        connections.close_all()
