"""The page of one delivery: what is pushed, and each try with the far side's own words."""

from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Attempt, Patch, Reason, State
from reviewapp.lib import clock
from tests.factories import LaminarKeyFactory, PatchFactory


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


def test_another_projects_delivery_is_not_there(lead_client: Client, other_project: Project) -> None:
    assert lead_client.get(url(PatchFactory.create(project=other_project))).status_code == 404


def test_a_number_that_no_delivery_has_is_not_there(lead_client: Client) -> None:
    assert lead_client.get("/p/support/deliveries/99999999999999999999/").status_code == 404


def test_a_reviewer_is_told_it_is_not_theirs(reviewer_client: Client, project: Project) -> None:
    assert reviewer_client.get(url(PatchFactory.create(project=project))).status_code == 403


def drifted(project: Project, drift: str = '{"notes":[],"score":[0.5]}') -> Patch:
    patch: Patch = PatchFactory.create(
        project=project, metadata='{"notes":"right","score":1}', state=State.CONFIRMED, confirmed_at=clock.now(),
        drift=drift, drifted_at=clock.now(),
    )  # fmt: skip
    return patch


def test_it_shows_both_values_where_others_wrote_after_us(lead_client: Client, project: Project) -> None:
    page = lead_client.get(url(drifted(project)))
    assert [(one.key, one.our_value, one.laminar_value) for one in page.context["drifted"]] == [
        ("notes", "right", None), ("score", "1", "0.5"),
    ]  # fmt: skip
    assert "the key is gone" in page.text


def test_what_others_wrote_is_shown_as_text(lead_client: Client, project: Project) -> None:
    text = lead_client.get(url(drifted(project, '{"score":["<script>alert(1)</script>"]}'))).text
    assert "<script>alert" not in text


def test_ours_is_pushed_again_once_however_often_it_is_clicked(lead_client: Client, project: Project) -> None:
    patch = drifted(project)
    lead_client.post(f"{url(patch)}push-again/")
    again = lead_client.post(f"{url(patch)}push-again/", follow=True)
    assert "There is nothing of this delivery to push again" in again.text
    assert Patch.objects.exclude(pk=patch.pk).get().values == {"notes": "right", "score": 1}


def test_theirs_is_left(lead_client: Client, project: Project) -> None:
    patch = drifted(project)
    page = lead_client.post(f"{url(patch)}leave-theirs/", follow=True)
    assert "Push ours again" not in page.text
    assert "lead left Laminar&#x27;s values as they are: notes, score." in page.text


def test_one_can_have_it_looked_at_now(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project)
    patch = PatchFactory.create(project=project, state=State.CONFIRMED)
    assert "Look now" in lead_client.get(url(patch)).text
    lead_client.post(f"{url(patch)}look/")
    patch.refresh_from_db()
    assert patch.watch_due_at is not None


def test_only_what_is_confirmed_is_looked_at(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project)
    assert "This one is not confirmed." in lead_client.post(f"{url(patch)}look/", follow=True).text
    patch.refresh_from_db()
    assert patch.watch_due_at is None


def test_it_says_that_an_ingest_only_key_cannot_look(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind="ingest-only")
    text = lead_client.get(url(PatchFactory.create(project=project, state=State.CONFIRMED))).text
    assert "nobody can look whether Laminar still has these values" in text
    assert "Look now" not in text
