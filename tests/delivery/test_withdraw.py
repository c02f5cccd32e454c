"""Withdrawing a patch that no worker has leased: the values it carried or replaced are still sent."""

from collections.abc import Mapping
from datetime import timedelta

import time_machine

from reviewapp.accounts.models import Project, User
from reviewapp.delivery import leasing, outbox, restore_guard
from reviewapp.delivery.models import Patch, State
from reviewapp.laminar import RequestRefused
from reviewapp.lib import clock
from tests.delivery.patches import end_push, lease_patch, put, reload, withdraw_patch


def put_parked(project: Project, values: Mapping[str, object]) -> Patch:
    return end_push(lease_patch(put(project, values)), RequestRefused("Laminar refused this.", status=400))


def test_it_lets_a_retry_send_keys_of_a_withdrawn_patch(project: Project) -> None:
    patch = put_parked(project, {"score": 1, "huge": "x"})
    assert withdraw_patch(put(project, {"score": 2})) == {}
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert reload(patch).values == {"score": 1, "huge": "x"}


def test_it_lets_a_retry_send_keys_of_several_withdrawn_patches(project: Project) -> None:
    patch = put_parked(project, {"score": 1, "huge": "x"})
    for values in ({"score": 2}, {"huge": "y"}):
        withdraw_patch(put(project, values))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert (reload(patch).state, reload(patch).values) == (State.WAITING, {"score": 1, "huge": "x"})


def test_it_lets_a_retry_send_keys_of_a_discarded_patch(project: Project, admin: User) -> None:
    patch = put_parked(project, {"score": 1, "huge": "x"})
    new = put(project, {"score": 2})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_deliveries(), "worker")
    assert restore_guard.discard_patch(project, new.pk, admin)
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert reload(patch).values == {"score": 1, "huge": "x"}


def test_it_refuses_when_a_dead_worker_may_have_sent_it(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}))
    with time_machine.travel(clock.now() + timedelta(seconds=21), tick=False):
        assert leasing.release_expired_leases() == 1
    assert withdraw_patch(patch) is None
    assert reload(patch).state == State.WAITING
