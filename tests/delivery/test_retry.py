"""Sending again what a person looked at: never over what was said since."""

from datetime import timedelta
from uuid import uuid4

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing, outbox
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.laminar import RequestRefused
from reviewapp.lib import clock
from tests.delivery.patches import TRACE_ID, accept_patch, end_push, lease_patch, put, reload
from tests.factories import PatchFactory


def test_a_parked_patch_waits_again_as_if_new(project: Project) -> None:
    patch = _parked(project, {"score": 1})
    Patch.objects.update(failures=7, misses=3, sends=3, reads=4, created_at=clock.now() - timedelta(days=9))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    row = reload(patch)
    assert (row.state, row.reason, row.source) == (State.WAITING, "", "a test, retried by ana")
    assert (row.failures, row.misses, row.sends, row.reads) == (0, 0, 0, 0)
    # It was saved when it was saved: its page, and what the lag says, do not grow younger.
    assert clock.now() - row.created_at > timedelta(days=8)
    assert [taken.pk for taken in leasing.lease(10)] == [patch.pk]


def test_one_that_waits_for_its_next_try_goes_now(project: Project) -> None:
    patch = PatchFactory.create(project=project, failures=9, due_at=clock.now() + timedelta(hours=1))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert [taken.pk for taken in leasing.lease(10)] == [patch.pk]


def test_what_was_said_since_is_left_out(project: Project) -> None:
    patch = _parked(project, {"score": 1, "huge": "x"})
    accept_patch(put(project, {"score": 2}))
    assert outbox.retry(project, [patch.pk], "ana") == 1
    assert reload(patch).values == {"huge": "x"}


def test_it_ends_when_nothing_is_left_to_say(project: Project) -> None:
    patch = _parked(project, {"score": 1, "huge": "x"})
    put(project, {"score": 2})
    newest = put(project, {"huge": None})
    assert outbox.retry(project, [patch.pk], "ana") == 0
    assert (reload(patch).state, reload(patch).superseded_by) == (State.SUPERSEDED, newest)


def test_what_a_newer_parked_one_says_is_left_to_that_one(project: Project) -> None:
    older = _parked(project, {"score": 1, "a": 1})
    newer = _parked(project, {"score": 2, "b": 2})
    assert outbox.retry(project, [newer.pk, older.pk], "ana") == 2
    assert (reload(older).values, reload(newer).values) == ({"a": 1}, {"score": 2, "b": 2})


def test_a_save_after_a_retry_carries_what_was_retried(project: Project) -> None:
    patch = _parked(project, {"score": 1, "huge": "x"})
    outbox.retry(project, [patch.pk], "ana")
    assert put(project, {"score": 2}).values == {"score": 2, "huge": "x"}
    assert reload(patch).state == State.SUPERSEDED


def test_it_leaves_what_is_on_its_way_or_done(project: Project) -> None:
    states = [State.SENDING, State.ACCEPTED, State.CONFIRMED, State.SUPERSEDED]
    rows = [PatchFactory.create(project=project, state=state) for state in states]
    assert outbox.retry(project, [row.pk for row in rows], "ana") == 0
    assert [reload(row).state for row in rows] == states


def test_it_leaves_other_projects_alone(project: Project, other_project: Project) -> None:
    patch = PatchFactory.create(project=other_project, state=State.PARKED, reason=Reason.REFUSED)
    assert outbox.retry(project, [patch.pk], "ana") == 0
    assert reload(patch).state == State.PARKED


def test_the_same_trace_in_another_project_says_nothing_here(project: Project, other_project: Project) -> None:
    patch = _parked(project, {"score": 1})
    put(other_project, {"score": 2})
    PatchFactory.create(project=project, trace_id=uuid4(), metadata='{"score":3}')
    outbox.retry(project, [patch.pk], "ana")
    assert (reload(patch).trace_id, reload(patch).values) == (TRACE_ID, {"score": 1})


def _parked(project: Project, values: dict[str, object]) -> Patch:
    return end_push(lease_patch(put(project, values)), RequestRefused("Laminar refused this.", status=400))
