"""Retrying parked patches: never over values that were set since."""

from datetime import timedelta
from uuid import uuid4

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing, outbox
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.laminar import RequestRefused
from reviewapp.lib import clock
from tests.delivery.patches import TRACE_ID, accept_patch, end_push, lease_patch, put, reload
from tests.factories import PatchFactory


def test_it_resets_a_parked_patch(project: Project) -> None:
    patch = _put_parked(project, {"score": 1})
    Patch.objects.update(failures=7, misses=3, sends=3, reads=4, created_at=clock.now() - timedelta(days=9))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    row = reload(patch)
    assert (row.state, row.reason, row.source) == (State.WAITING, "", "a test, retried by ana")
    assert (row.failures, row.misses, row.sends, row.reads) == (0, 0, 0, 0)
    # The time it was saved stays: its page and the lag depend on it.
    assert clock.now() - row.created_at > timedelta(days=8)
    assert [leased.pk for leased in leasing.lease(10)] == [patch.pk]


def test_it_sends_a_delayed_patch_now(project: Project) -> None:
    patch = PatchFactory.create(project=project, failures=9, due_at=clock.now() + timedelta(hours=1))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert [leased.pk for leased in leasing.lease(10)] == [patch.pk]


def test_it_leaves_out_keys_set_since(project: Project) -> None:
    patch = _put_parked(project, {"score": 1, "huge": "x"})
    accept_patch(put(project, {"score": 2}))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert reload(patch).values == {"huge": "x"}


def test_it_supersedes_a_patch_when_every_key_was_set_since(project: Project) -> None:
    patch = _put_parked(project, {"score": 1, "huge": "x"})
    put(project, {"score": 2})
    newest = put(project, {"huge": None})
    assert outbox.retry(project, [patch.pk], "ana") == 0
    assert (reload(patch).state, reload(patch).superseded_by) == (State.SUPERSEDED, newest)


def test_it_leaves_keys_to_a_newer_parked_patch(project: Project) -> None:
    older = _put_parked(project, {"score": 1, "a": 1})
    newer = _put_parked(project, {"score": 2, "b": 2})
    assert outbox.retry(project, [newer.pk, older.pk], "ana") == 2
    assert (reload(older).values, reload(newer).values) == ({"a": 1}, {"score": 2, "b": 2})


def test_it_is_carried_by_a_later_save(project: Project) -> None:
    patch = _put_parked(project, {"score": 1, "huge": "x"})
    outbox.retry(project, [patch.pk], "ana")
    assert put(project, {"score": 2}).values == {"score": 2, "huge": "x"}
    assert reload(patch).state == State.SUPERSEDED


def test_it_ignores_patches_in_other_states(project: Project) -> None:
    states = [State.SENDING, State.ACCEPTED, State.CONFIRMED, State.SUPERSEDED]
    rows = [PatchFactory.create(project=project, state=state) for state in states]
    assert outbox.retry(project, [row.pk for row in rows], "ana") == 0
    assert [reload(row).state for row in rows] == states


def test_it_ignores_patches_of_other_projects(project: Project, other_project: Project) -> None:
    patch = PatchFactory.create(project=other_project, state=State.PARKED, reason=Reason.REFUSED)
    assert outbox.retry(project, [patch.pk], "ana") == 0
    assert reload(patch).state == State.PARKED


def test_it_ignores_the_same_trace_of_another_project(project: Project, other_project: Project) -> None:
    patch = _put_parked(project, {"score": 1})
    put(other_project, {"score": 2})
    PatchFactory.create(project=project, trace_id=uuid4(), metadata='{"score":3}')
    outbox.retry(project, [patch.pk], "ana")
    assert (reload(patch).trace_id, reload(patch).values) == (TRACE_ID, {"score": 1})


def _put_parked(project: Project, values: dict[str, object]) -> Patch:
    return end_push(lease_patch(put(project, values)), RequestRefused("Laminar refused this.", status=400))
