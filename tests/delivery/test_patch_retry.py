"""The button that sends parked deliveries again: one, some or all, and the record of who pressed it."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.delivery.views.actions import RETRY_BATCH_SIZE
from reviewapp.lib import canonical_json
from tests.delivery.patches import reload
from tests.factories import PatchFactory

URL = "/p/support/deliveries/retry/"


@pytest.fixture
def parked(project: Project) -> list[Patch]:
    return [PatchFactory.create(project=project, state=State.PARKED, reason=Reason.REFUSED) for _ in range(3)]


def test_it_sends_one_again(lead_client: Client, parked: list[Patch]) -> None:
    answer = lead_client.post(URL, {"patch": parked[0].pk}, follow=True)
    assert "1 sent again." in answer.text
    assert [reload(patch).state for patch in parked] == [State.WAITING, State.PARKED, State.PARKED]


def test_it_sends_some_again(lead_client: Client, parked: list[Patch]) -> None:
    lead_client.post(URL, {"patch": [parked[0].pk, parked[2].pk]})
    assert [reload(patch).state for patch in parked] == [State.WAITING, State.PARKED, State.WAITING]


def test_it_sends_all_again(lead_client: Client, parked: list[Patch], other_project: Project) -> None:
    foreign = PatchFactory.create(project=other_project, state=State.PARKED)
    answer = lead_client.post(URL, {"all": "parked"}, follow=True)
    assert "3 sent again." in answer.text
    assert {reload(patch).state for patch in parked} == {State.WAITING}
    assert reload(foreign).state == State.PARKED


def test_it_sends_very_many_again_in_short_transactions(lead_client: Client, project: Project) -> None:
    rows = [PatchFactory.build(project=project, state=State.PARKED) for _ in range(RETRY_BATCH_SIZE + 5)]
    Patch.objects.bulk_create(rows)
    answer = lead_client.post(URL, {"all": "parked"}, follow=True)
    assert f"{RETRY_BATCH_SIZE + 5} sent again." in answer.text
    assert AuditEvent.objects.filter(verb="retried deliveries").count() == 2


def test_it_is_recorded(lead_client: Client, parked: list[Patch]) -> None:
    lead_client.post(URL, {"patch": parked[0].pk})
    event = AuditEvent.objects.get(verb="retried deliveries")
    assert (event.actor_name, canonical_json.loads(event.detail)) == ("lead", {"count": 1, "patches": [parked[0].pk]})


def test_it_says_when_there_was_nothing(lead_client: Client, project: Project) -> None:
    answer = lead_client.post(URL, {"patch": "1"}, follow=True)
    assert "Nothing was waiting to be sent again." in answer.text
    assert not AuditEvent.objects.filter(verb="retried deliveries").exists()


@pytest.mark.parametrize("patch", ["", "x", "-1", str(10**30), "1 OR 1=1"])
def test_it_takes_no_nonsense(lead_client: Client, parked: list[Patch], patch: str) -> None:
    assert lead_client.post(URL, {"patch": patch}).status_code == 302
    assert {reload(row).state for row in parked} == {State.PARKED}


def test_it_takes_no_get(lead_client: Client) -> None:
    assert lead_client.get(URL).status_code == 405


def test_a_reviewer_is_refused(reviewer_client: Client, parked: list[Patch]) -> None:
    assert reviewer_client.post(URL, {"all": "parked"}).status_code == 403
    assert {reload(row).state for row in parked} == {State.PARKED}


def test_it_is_not_there_for_an_outsider(outsider_client: Client, parked: list[Patch]) -> None:
    assert outsider_client.post(URL, {"all": "parked"}).status_code == 404


def test_it_needs_the_forms_token(lead: object, parked: list[Patch]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(lead)  # type: ignore[arg-type]
    assert client.post(URL, {"all": "parked"}).status_code == 403
    assert {reload(row).state for row in parked} == {State.PARKED}


def test_it_sends_all_of_one_reason_again(lead_client: Client, parked: list[Patch]) -> None:
    Patch.objects.filter(pk=parked[0].pk).update(reason=Reason.GAVE_UP)
    lead_client.post(URL, {"all": "parked", "reason": "gave up"})
    assert [reload(patch).state for patch in parked] == [State.WAITING, State.PARKED, State.PARKED]
