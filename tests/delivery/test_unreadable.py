"""A stored patch that cannot be read: it is parked and shown, and holds up nothing else."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery import confirmation, drift, outbox
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.lib import clock
from tests.delivery.patches import TRACE_ID, put, reload, withdraw_patch
from tests.factories import PatchFactory, TraceFactory

UNREADABLE_TEXTS = ["{broken", "", "[1]", "null", '{"a":NaN}', '{"a":1,"a":2}', "[" * 5_000]
STATES = [State.WAITING, State.ACCEPTED, State.PARKED, State.SUPERSEDED, State.SENDING, State.CONFIRMED]


def create_unreadable(project: Project, **fields: object) -> Patch:
    row: Patch = PatchFactory.create(project=project, **{"trace_id": TRACE_ID, "metadata": "{broken", **fields})
    return row


@pytest.mark.parametrize("text", UNREADABLE_TEXTS)
@pytest.mark.parametrize("state", [State.WAITING, State.ACCEPTED])
def test_it_is_parked_by_a_newer_patch_of_its_trace(project: Project, text: str, state: State) -> None:
    unreadable = create_unreadable(project, metadata=text, state=state)
    newer = put(project, {"score": 1})
    row = reload(unreadable)
    assert (row.state, row.reason, row.superseded_by) == (State.PARKED, Reason.UNREADABLE, None)
    assert row.last_error == outbox.UNREADABLE_MESSAGE
    assert reload(newer).values == {"score": 1}


@pytest.mark.parametrize("tags", ["broken", "7", "[7]", "{}"])
def test_it_is_parked_for_its_tags(project: Project, tags: str) -> None:
    unreadable = create_unreadable(project, metadata='{"a":1}', tags=tags)
    put(project, {"score": 1})
    assert reload(unreadable).reason == Reason.UNREADABLE


def test_it_does_not_keep_others_from_being_confirmed(project: Project) -> None:
    patches = [create_unreadable(project, state=State.ACCEPTED)]
    patches += PatchFactory.create_batch(19, project=project, state=State.ACCEPTED)
    confirmation.record_readback(patches, {patch.trace_id: '{"score":1}' for patch in patches}, 0.1)
    assert (reload(patches[0]).state, reload(patches[0]).reason) == (State.PARKED, Reason.UNREADABLE)
    assert {reload(patch).state for patch in patches[1:]} == {State.CONFIRMED}


def test_it_does_not_keep_others_from_being_checked(project: Project) -> None:
    patches = [create_unreadable(project, state=State.CONFIRMED, drift="{broken", watch_due_at=clock.now())]
    patches += PatchFactory.create_batch(
        3, project=project, trace_id=TRACE_ID, state=State.CONFIRMED, watch_due_at=patches[0].watch_due_at
    )
    drift.record_readback(patches, {TRACE_ID: '{"score":1}'}, 0.1)
    assert {reload(patch).drifted_at for patch in patches} == {None}
    assert {reload(patch).watches for patch in patches} == {1}


def test_it_is_not_retried(project: Project) -> None:
    unreadable = create_unreadable(project, state=State.PARKED, reason=Reason.UNREADABLE)
    assert outbox.retry(project, [unreadable.pk], "lead") == 0
    assert reload(unreadable).state == State.PARKED


def test_it_does_not_keep_others_from_being_retried(project: Project) -> None:
    parked = PatchFactory.create(project=project, trace_id=TRACE_ID, state=State.PARKED, reason=Reason.REFUSED)
    create_unreadable(project)
    assert outbox.retry(project, [parked.pk], "lead") == 1


def test_it_does_not_keep_a_newer_patch_from_being_withdrawn(project: Project) -> None:
    newer = put(project, {"score": 1})
    create_unreadable(project, state=State.SUPERSEDED, superseded_by=newer)
    assert withdraw_patch(newer) == {}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("text", UNREADABLE_TEXTS)
def test_it_is_shown(lead_client: Client, project: Project, state: State, text: str) -> None:
    TraceFactory.create(project=project, trace_id=TRACE_ID, metadata='{"score":1}', unconfirmed='{"score":1}')
    reason = Reason.UNREADABLE if state == State.PARKED else ""
    row = create_unreadable(
        project, state=state, reason=reason, metadata=text, tags=text, carried=text, drift=text, drifted_at=clock.now()
    )
    pages = ["deliveries/", f"deliveries/{row.pk}/", "deliveries/held/", f"traces/{TRACE_ID}/"]
    pages += [f"deliveries/traces/{TRACE_ID}/metadata/"]
    assert {page: lead_client.get(f"/p/support/{page}").status_code for page in pages} == dict.fromkeys(pages, 200)


def test_it_says_why_it_is_parked(lead_client: Client, lead: User, project: Project) -> None:
    row = create_unreadable(project)
    put(project, {"score": 1})
    text = lead_client.get(f"/p/support/deliveries/{row.pk}/").text
    assert "The stored values cannot be read" in text
    assert "Retry delivery" not in text
