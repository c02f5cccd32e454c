"""Taking back a patch that nobody has begun to push: what it carried, or stood before, is still said."""

from collections.abc import Mapping
from datetime import timedelta

import time_machine

from reviewapp.accounts.models import Project, User
from reviewapp.delivery import leasing, outbox, restore_guard
from reviewapp.delivery.models import Patch, State
from reviewapp.laminar import Refused
from reviewapp.lib import clock
from tests.delivery.patches import ends, fresh, leased, put, withdrawn


def parked(project: Project, values: Mapping[str, object]) -> Patch:
    return ends(leased(put(project, values)), Refused("Laminar refused this.", status=400))


def test_a_retry_says_what_only_an_undone_patch_had_changed(project: Project) -> None:
    patch = parked(project, {"score": 1, "huge": "x"})
    assert withdrawn(put(project, {"score": 2})) == {}
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert fresh(patch).values == {"score": 1, "huge": "x"}


def test_a_retry_says_what_only_undone_patches_had_changed_between_them(project: Project) -> None:
    patch = parked(project, {"score": 1, "huge": "x"})
    for values in ({"score": 2}, {"huge": "y"}):
        withdrawn(put(project, values))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert (fresh(patch).state, fresh(patch).values) == (State.WAITING, {"score": 1, "huge": "x"})


def test_a_retry_says_what_only_a_patch_that_was_left_out_had_changed(project: Project, admin: User) -> None:
    patch = parked(project, {"score": 1, "huge": "x"})
    new = put(project, {"score": 2})
    restore_guard.hold(restore_guard.with_open_patches(), "worker")
    assert restore_guard.leave_out(project, new.pk, admin)
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert fresh(patch).values == {"score": 1, "huge": "x"}


def test_it_refuses_what_a_worker_that_died_may_have_sent(project: Project) -> None:
    patch = leased(put(project, {"score": 1}))
    with time_machine.travel(clock.now() + timedelta(seconds=21), tick=False):
        assert leasing.rescue() == 1
    assert withdrawn(patch) is None
    assert fresh(patch).state == State.WAITING
