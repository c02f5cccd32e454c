"""Putting a patch into the outbox: with the save or not at all, and never two patches where one is enough."""

from uuid import UUID

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.laminar import RequestRefused
from reviewapp.lib import canonical_json
from tests.delivery.patches import TRACE_ID, accept_patch, end_push, lease_patch, put, reload


def test_it_writes_a_patch_when_the_transaction_commits(project: Project) -> None:
    put(project, {"score": 1})
    patch = Patch.objects.get()
    assert (patch.project, patch.trace_id, patch.values, patch.state) == (
        project,
        TRACE_ID,
        {"score": 1},
        State.WAITING,
    )


@pytest.mark.django_db(transaction=True)
def test_it_writes_nothing_when_the_transaction_rolls_back(project: Project) -> None:
    with transaction.atomic():
        put(project, {"score": 1})
        transaction.set_rollback(True)
    assert not Patch.objects.exists()


def test_it_supersedes_a_waiting_patch_and_carries_its_keys(project: Project) -> None:
    old = put(project, {"score": 1, "a.score": 5})
    new = put(project, {"score": 2, "notes": None})
    assert new.values == {"score": 2, "notes": None, "a.score": 5}
    assert (reload(old).state, reload(old).superseded_by) == (State.SUPERSEDED, new)


def test_it_carries_the_newest_values_over_many_patches(project: Project) -> None:
    put(project, {"a": 1, "b": 1, "c": 1})
    put(project, {"b": 2, "c": 2})
    assert put(project, {"c": 3}).values == {"a": 1, "b": 2, "c": 3}
    assert Patch.objects.unfinished().count() == 1


def test_it_supersedes_an_accepted_patch(project: Project) -> None:
    old = accept_patch(put(project, {"score": 1}))
    new = put(project, {"notes": "x"})
    assert (new.values, reload(old).state) == ({"score": 1, "notes": "x"}, State.SUPERSEDED)


def test_it_keeps_a_confirmed_patch(project: Project) -> None:
    old = accept_patch(put(project, {"score": 1}))
    Patch.objects.filter(pk=old.pk).update(state=State.CONFIRMED)
    assert put(project, {"notes": "x"}).values == {"notes": "x"}
    assert reload(old).state == State.CONFIRMED


def test_it_supersedes_a_patch_being_sent_when_its_push_ends(project: Project) -> None:
    old = lease_patch(put(project, {"score": 1}))
    new = put(project, {"score": 2})
    assert (reload(old).state, reload(old).superseded_by) == (State.SENDING, new)
    assert end_push(old).state == State.SUPERSEDED
    assert reload(new).state == State.WAITING


def test_it_supersedes_a_patch_being_sent_when_its_push_fails(project: Project) -> None:
    old = lease_patch(put(project, {"score": 1}))
    put(project, {"score": 2})
    assert end_push(old, RequestRefused("No.", status=400)).state == State.SUPERSEDED


def test_it_supersedes_a_parked_patch_with_the_same_keys(project: Project) -> None:
    old = end_push(lease_patch(put(project, {"score": 1})), RequestRefused("No.", status=400))
    new = put(project, {"score": 2, "notes": "x"})
    assert reload(old).superseded_by == new


def test_it_keeps_a_parked_patch_with_other_keys(project: Project) -> None:
    old = end_push(lease_patch(put(project, {"score": 1, "huge": "x"})), RequestRefused("No.", status=413))
    new = put(project, {"score": 2})
    assert new.values == {"score": 2}
    assert (reload(old).state, reload(old).reason) == (State.PARKED, Reason.REFUSED)


def test_it_separates_traces_and_projects(project: Project, other_project: Project) -> None:
    put(other_project, {"score": 1})
    put(project, {"score": 2}, UUID(int=8))
    assert put(project, {"notes": "x"}).values == {"notes": "x"}
    assert Patch.objects.filter(state=State.WAITING).count() == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("value", ["\x00", "\ud800", float("nan"), 10**401], ids=["nul", "half", "nan", "digits"])
def test_it_refuses_a_value_that_laminar_would_drop(project: Project, value: object) -> None:
    old = put(project, {"score": 1})
    with pytest.raises(canonical_json.InvalidJSONError):
        put(project, {"notes": value})
    assert (reload(old).state, Patch.objects.count()) == (State.WAITING, 1)
