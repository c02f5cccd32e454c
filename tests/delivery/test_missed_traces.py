"""A trace that Laminar did not know appears: its patches are sent soon. A stopped project is probed in time."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine

from reviewapp.accounts.models import Project
from reviewapp.delivery import breaker, leasing, missed_traces, outbox, schedule
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import KeyRefused, RateLimited
from reviewapp.lib import clock
from tests.delivery.patches import end_push, lease_patch, put, reload
from tests.factories import LaminarKeyFactory, PatchFactory
from tests.worker.running import Response, all_patches_are, fake_laminar, run_workers
from tests.worker.test_faults import ScriptedStore, create_project

HOUR = timedelta(hours=1)


def create_missed(project: Project, **fields: object) -> Patch:
    """A patch whose trace was not found, to be sent in an hour."""
    row: Patch = PatchFactory.create(project=project, **{"misses": 16, "due_at": clock.now() + HOUR, **fields})
    return row


def test_it_wakes_a_patch_whose_trace_appeared(project: Project) -> None:
    patch = create_missed(project)
    assert outbox.wake_missed(project, [patch.trace_id, uuid4()]) == 1
    assert lease_patch(patch).misses == schedule.FIRST_MINUTE_MISS


@pytest.mark.parametrize("fields", [{"misses": 0}, {"state": State.PARKED}, {"trace_id": UUID(int=1)}])
def test_it_wakes_no_other_patch(project: Project, other_project: Project, fields: dict[str, object]) -> None:
    trace_ids = [create_missed(other_project).trace_id, uuid4()]
    create_missed(project, **fields)
    assert outbox.wake_missed(project, trace_ids) == 0


def test_it_selects_missed_traces_by_project(project: Project, other_project: Project) -> None:
    missed, other = create_missed(project), create_missed(other_project)
    create_missed(project, due_at=clock.now())
    create_missed(project, misses=0)
    assert missed_traces.select() == {project: [missed.trace_id], other_project: [other.trace_id]}
    assert missed_traces.select([project.pk]) == {other_project: [other.trace_id]}
    Breaker.objects.create(project=other_project, open_until=clock.now() + HOUR)
    assert missed_traces.select([project.pk]) == {}


def test_it_selects_a_bounded_number_of_traces(project: Project) -> None:
    for _ in range(missed_traces.BATCH_SIZE + 1):
        create_missed(project)
    assert len(missed_traces.select()[project]) == missed_traces.BATCH_SIZE


def test_it_tries_a_missing_trace_each_minute_at_first() -> None:
    first_quarter = schedule.MISS_DELAYS[: schedule.MISS_DELAYS.index(300)]
    assert max(first_quarter) <= 60
    assert sum(first_quarter) >= 600


def test_it_probes_a_lone_patch_after_five_minutes_of_a_long_retry_after(project: Project) -> None:
    patch = put(project, {"a": 1})
    row = end_push(lease_patch(patch), RateLimited("Laminar asks to slow down.", status=429, retry_after=86_400))
    with time_machine.travel(clock.now() + timedelta(minutes=4), tick=False):
        assert (breaker.bring_probes_forward(), leasing.lease(1)) == (0, [])
    with time_machine.travel(clock.now() + timedelta(minutes=5, seconds=1), tick=False):
        assert leasing.lease(1) == []
        assert breaker.bring_probes_forward() == 1
        assert [patch.pk for patch in leasing.lease(1)] == [row.pk]


def test_it_probes_nothing_that_never_failed_or_while_others_are_due(project: Project) -> None:
    Breaker.objects.create(project=project, failures=5, open_until=clock.now() - HOUR)
    missed = create_missed(project)
    assert breaker.bring_probes_forward() == 0
    create_missed(project, failures=1, misses=0)
    put(project, {"a": 1})
    assert breaker.bring_probes_forward() == 0
    assert reload(missed).due_at > clock.now()


def test_it_tries_a_refused_key_again_after_a_minute(project: Project) -> None:
    key: LaminarKey = LaminarKeyFactory.create(project=project)
    patch = put(project, {"a": 1})
    end_push(lease_patch(patch), KeyRefused("Laminar refused the key.", status=401), key=key)
    assert leasing.lease(1) == []
    with time_machine.travel(clock.now() + timedelta(seconds=61), tick=False):
        end_push(lease_patch(patch), key=key)
    assert not Breaker.objects.get().is_open


def test_it_delivers_soon_once_the_trace_appears(transactional_db: None) -> None:
    known: set[str] = set()

    def hide_unknown(path: str, body: dict[str, Any]) -> Response | None:
        if path.endswith("/metadata"):
            return None if body["traceId"] in known else (404, "Trace not found")
        ids = body["parameters"].get("ids", [])
        return None if known.issuperset(ids) and ids else (200, {"data": []})

    with fake_laminar(ScriptedStore(hide_unknown)) as laminar:
        patch = create_missed(create_project(laminar))
        known.add(str(patch.trace_id))
        run_workers(until=all_patches_are(State.CONFIRMED))
    assert len(laminar.pushes) == 1
