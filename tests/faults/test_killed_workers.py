"""Workers killed at each step of a delivery, and several workers on one backlog."""

import signal
from uuid import uuid4

import pytest
from django.db import connection

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from tests.delivery.patches import put, put_many
from tests.faults.database_state import expire_leases, without_waiting
from tests.faults.processes import FakeLaminar, Workers, wait_until
from tests.worker.running import all_patches_are, patch_states

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("failpoint", "state", "sends"),
    [
        ("push.before_send", State.SENDING, 1),
        ("push.sent", State.SENDING, 2),
        ("push.marking", State.SENDING, 2),
        ("push.marked", State.ACCEPTED, 1),
        ("read.before_mark", State.ACCEPTED, 1),
    ],
)
def test_it_completes_the_delivery_of_a_killed_worker(
    failpoint: str, state: str, sends: int, project: Project, fake_laminar: FakeLaminar, workers: Workers
) -> None:
    patch = put(project, {"score": 1, "review_rev": 1}, uuid4())
    assert workers.wait(workers.start(f"{failpoint}=kill")) == -signal.SIGKILL
    assert patch_states() == [state]
    expire_leases()
    workers.start()
    wait_until(without_waiting(all_patches_are(State.CONFIRMED)), every=0.2)
    assert len(fake_laminar.get_pushes()) == sends
    assert fake_laminar.get_metadata()[str(patch.trace_id)] == {"score": 1, "review_rev": 1}


def test_it_sends_each_patch_once_with_several_workers(
    project: Project, fake_laminar: FakeLaminar, workers: Workers
) -> None:
    patches = put_many(project, 120)
    for _ in range(4 if connection.vendor == "postgresql" else 2):
        workers.start()
    wait_until(all_patches_are(State.CONFIRMED))
    pushed = sorted(line["trace"] for line in fake_laminar.get_pushes())
    assert pushed == sorted(str(patch.trace_id) for patch in patches)
