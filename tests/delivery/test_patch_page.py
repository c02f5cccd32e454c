"""The page of one delivery: what is pushed, and each try with the far side's own words."""

from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Attempt, Patch, Reason, State
from reviewapp.lib import clock
from tests.factories import PatchFactory


def url(patch: Patch) -> str:
    return f"/p/support/deliveries/{patch.pk}/"


def test_it_works(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, metadata='{"score":1}')
    page = lead_client.get(url(patch))
    assert page.status_code == 200
    assert "No try yet." in page.text


def test_it_tells_each_try(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.WAITING, failures=1)
    Attempt.objects.create(
        patch=patch, act="push", at=clock.now(), seconds=0.2, status=500,
        outcome="Laminar is in trouble (500).", answer="<b>out of memory</b>",
    )  # fmt: skip
    page = lead_client.get(url(patch))
    assert "Laminar is in trouble (500)." in page.text
    assert "&lt;b&gt;out of memory&lt;/b&gt;" in page.text


def test_it_offers_to_send_a_parked_one_again(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.PARKED, reason=Reason.GAVE_UP)
    page = lead_client.get(url(patch))
    assert "Send again now" in page.text
    assert "Laminar was not reached for too long." in page.text


def test_it_leads_to_the_patch_that_replaced_it(lead_client: Client, project: Project) -> None:
    newer = PatchFactory.create(project=project)
    patch = PatchFactory.create(project=project, state=State.SUPERSEDED, superseded_by=newer)
    assert url(newer) in lead_client.get(url(patch)).text
    assert "Send again now" not in lead_client.get(url(patch)).text


def test_another_projects_delivery_is_not_there(lead_client: Client, elsewhere: Project) -> None:
    assert lead_client.get(url(PatchFactory.create(project=elsewhere))).status_code == 404


def test_a_number_that_no_delivery_has_is_not_there(lead_client: Client) -> None:
    assert lead_client.get("/p/support/deliveries/99999999999999999999/").status_code == 404


def test_a_reviewer_is_told_it_is_not_theirs(reviewer_client: Client, project: Project) -> None:
    assert reviewer_client.get(url(PatchFactory.create(project=project))).status_code == 403
