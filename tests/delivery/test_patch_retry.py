"""Retrying parked deliveries: one, some or all, with an audit event."""

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


def test_it_retries_one(lead_client: Client, parked: list[Patch]) -> None:
    response = lead_client.post(URL, {"patch": parked[0].pk}, follow=True)
    assert "Retrying 1 delivery." in response.text
    assert [reload(patch).state for patch in parked] == [State.WAITING, State.PARKED, State.PARKED]


def test_it_retries_some(lead_client: Client, parked: list[Patch]) -> None:
    lead_client.post(URL, {"patch": [parked[0].pk, parked[2].pk]})
    assert [reload(patch).state for patch in parked] == [State.WAITING, State.PARKED, State.WAITING]


def test_it_retries_all(lead_client: Client, parked: list[Patch], other_project: Project) -> None:
    other = PatchFactory.create(project=other_project, state=State.PARKED)
    response = lead_client.post(URL, {"all": "parked"}, follow=True)
    assert "Retrying 3 deliveries." in response.text
    assert {reload(patch).state for patch in parked} == {State.WAITING}
    assert reload(other).state == State.PARKED


def test_it_retries_many_in_short_transactions(lead_client: Client, project: Project) -> None:
    rows = [PatchFactory.build(project=project, state=State.PARKED) for _ in range(RETRY_BATCH_SIZE + 5)]
    Patch.objects.bulk_create(rows)
    response = lead_client.post(URL, {"all": "parked"}, follow=True)
    assert f"Retrying {RETRY_BATCH_SIZE + 5} deliveries." in response.text
    assert AuditEvent.objects.filter(verb="retried deliveries").count() == 2


def test_it_records_an_audit_event(lead_client: Client, parked: list[Patch]) -> None:
    lead_client.post(URL, {"patch": parked[0].pk})
    event = AuditEvent.objects.get(verb="retried deliveries")
    assert (event.actor_name, canonical_json.loads(event.detail)) == ("lead", {"count": 1, "patches": [parked[0].pk]})


def test_it_reports_when_there_was_nothing_to_retry(lead_client: Client, project: Project) -> None:
    response = lead_client.post(URL, {"patch": "1"}, follow=True)
    assert "There was nothing to retry." in response.text
    assert not AuditEvent.objects.filter(verb="retried deliveries").exists()


@pytest.mark.parametrize("patch", ["", "x", "-1", str(10**30), "1 OR 1=1"])
def test_it_refuses_an_invalid_id(lead_client: Client, parked: list[Patch], patch: str) -> None:
    assert lead_client.post(URL, {"patch": patch}).status_code == 302
    assert {reload(row).state for row in parked} == {State.PARKED}


def test_it_refuses_get(lead_client: Client) -> None:
    assert lead_client.get(URL).status_code == 405


def test_it_refuses_a_reviewer(reviewer_client: Client, parked: list[Patch]) -> None:
    assert reviewer_client.post(URL, {"all": "parked"}).status_code == 403
    assert {reload(row).state for row in parked} == {State.PARKED}


def test_it_refuses_an_outsider(outsider_client: Client, parked: list[Patch]) -> None:
    assert outsider_client.post(URL, {"all": "parked"}).status_code == 404


def test_it_refuses_a_request_without_csrf_token(lead: object, parked: list[Patch]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(lead)  # type: ignore[arg-type]
    assert client.post(URL, {"all": "parked"}).status_code == 403
    assert {reload(row).state for row in parked} == {State.PARKED}


def test_it_retries_all_with_one_reason(lead_client: Client, parked: list[Patch]) -> None:
    Patch.objects.filter(pk=parked[0].pk).update(reason=Reason.GAVE_UP)
    lead_client.post(URL, {"all": "parked", "reason": "gave up"})
    assert [reload(patch).state for patch in parked] == [State.WAITING, State.PARKED, State.PARKED]
