"""Taking back a patch that nobody has begun to push: what it carried, or stood before, is still said."""

from collections.abc import Mapping
from datetime import timedelta

import time_machine

from reviewapp.accounts.models import Project, User
from reviewapp.delivery import leasing, outbox, restore_guard
from reviewapp.delivery.models import Patch, State
from reviewapp.laminar import RequestRefused
from reviewapp.lib import clock
from tests.delivery.patches import end_push, lease_patch, put, reload, withdraw_patch


def parked(project: Project, values: Mapping[str, object]) -> Patch:
    return end_push(lease_patch(put(project, values)), RequestRefused("Laminar refused this.", status=400))


def test_a_retry_says_what_only_an_undone_patch_had_changed(project: Project) -> None:
    patch = parked(project, {"score": 1, "huge": "x"})
    assert withdraw_patch(put(project, {"score": 2})) == {}
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert reload(patch).values == {"score": 1, "huge": "x"}


def test_a_retry_says_what_only_undone_patches_had_changed_between_them(project: Project) -> None:
    patch = parked(project, {"score": 1, "huge": "x"})
    for values in ({"score": 2}, {"huge": "y"}):
        withdraw_patch(put(project, values))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert (reload(patch).state, reload(patch).values) == (State.WAITING, {"score": 1, "huge": "x"})


def test_a_retry_says_what_only_a_patch_that_was_left_out_had_changed(project: Project, admin: User) -> None:
    patch = parked(project, {"score": 1, "huge": "x"})
    new = put(project, {"score": 2})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_patches(), "worker")
    assert restore_guard.discard_patch(project, new.pk, admin)
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert reload(patch).values == {"score": 1, "huge": "x"}


def test_it_refuses_what_a_worker_that_died_may_have_sent(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}))
    with time_machine.travel(clock.now() + timedelta(seconds=21), tick=False):
        assert leasing.release_expired_leases() == 1
    assert withdraw_patch(patch) is None
    assert reload(patch).state == State.WAITING
