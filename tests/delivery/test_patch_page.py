"""The page of one delivery: what is pushed, and each attempt with Laminar's response."""

import pytest
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
    assert "No attempts yet." in page.text


def test_it_shows_each_attempt(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.WAITING, failures=1)
    Attempt.objects.create(
        patch=patch, act="push", at=clock.now(), seconds=0.2, status=500,
        outcome="Laminar is in trouble (500).", answer="<b>out of memory</b>",
    )  # fmt: skip
    page = lead_client.get(url(patch))
    assert "Laminar is in trouble (500)." in page.text
    assert "&lt;b&gt;out of memory&lt;/b&gt;" in page.text


def test_it_offers_to_retry_a_parked_patch(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.PARKED, reason=Reason.GAVE_UP)
    page = lead_client.get(url(patch))
    assert "Retry delivery" in page.text
    assert "Laminar could not be reached for too long." in page.text


@pytest.mark.parametrize("reason", Reason.values)
def test_it_says_that_the_values_of_a_program_are_saved(lead_client: Client, project: Project, reason: str) -> None:
    patch = PatchFactory.create(project=project, source="token:ci", state=State.PARKED, reason=reason)
    text = lead_client.get(url(patch)).text
    assert "The values are saved here." in text
    assert "the review" not in text.lower()


def test_it_links_to_the_patch_that_superseded_it(lead_client: Client, project: Project) -> None:
    newer = PatchFactory.create(project=project)
    patch = PatchFactory.create(project=project, state=State.SUPERSEDED, superseded_by=newer)
    assert url(newer) in lead_client.get(url(patch)).text
    assert "Retry delivery" not in lead_client.get(url(patch)).text


def test_it_refuses_a_delivery_of_another_project(lead_client: Client, other_project: Project) -> None:
    assert lead_client.get(url(PatchFactory.create(project=other_project))).status_code == 404


def test_it_refuses_an_unknown_number(lead_client: Client) -> None:
    assert lead_client.get("/p/support/deliveries/99999999999999999999/").status_code == 404


def test_it_refuses_a_reviewer(reviewer_client: Client, project: Project) -> None:
    assert reviewer_client.get(url(PatchFactory.create(project=project))).status_code == 403


def create_drifted(project: Project, drift: str = '{"notes":[],"score":[0.5]}') -> Patch:
    patch: Patch = PatchFactory.create(
        project=project, metadata='{"notes":"right","score":1}', state=State.CONFIRMED, confirmed_at=clock.now(),
        drift=drift, drifted_at=clock.now(),
    )  # fmt: skip
    return patch


def test_it_shows_both_values_of_drifted_keys(lead_client: Client, project: Project) -> None:
    page = lead_client.get(url(create_drifted(project)))
    assert [(key.key, key.our_value, key.laminar_value) for key in page.context["drifted_keys"]] == [
        ("notes", "right", None), ("score", "1", "0.5"),
    ]  # fmt: skip
    assert "key removed" in page.text


def test_it_escapes_laminars_values(lead_client: Client, project: Project) -> None:
    text = lead_client.get(url(create_drifted(project, '{"score":["<script>alert(1)</script>"]}'))).text
    assert "<script>alert" not in text


def test_it_pushes_our_values_again_only_once(lead_client: Client, project: Project) -> None:
    patch = create_drifted(project)
    lead_client.post(f"{url(patch)}push-again/")
    second = lead_client.post(f"{url(patch)}push-again/", follow=True)
    assert "Not pushed. Someone has already pushed these values again" in second.text
    assert Patch.objects.exclude(pk=patch.pk).get().values == {"notes": "right", "score": 1}


def test_it_keeps_laminars_values(lead_client: Client, project: Project) -> None:
    patch = create_drifted(project)
    page = lead_client.post(f"{url(patch)}leave-theirs/", follow=True)
    assert "push-again/" not in page.text
    assert "lead kept Laminar&#x27;s values: notes, score." in page.text


def test_it_requests_a_check(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project)
    patch = PatchFactory.create(project=project, state=State.CONFIRMED)
    assert "Check now" in lead_client.get(url(patch)).text
    lead_client.post(f"{url(patch)}look/")
    patch.refresh_from_db()
    assert patch.watch_due_at is not None


def test_it_refuses_a_check_of_an_unconfirmed_patch(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project)
    assert "this one is not confirmed." in lead_client.post(f"{url(patch)}look/", follow=True).text
    patch.refresh_from_db()
    assert patch.watch_due_at is None


def test_it_shows_that_an_ingest_only_key_cannot_check(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind="ingest-only")
    text = lead_client.get(url(PatchFactory.create(project=project, state=State.CONFIRMED))).text
    assert "Laminar cannot be checked for these values" in text
    assert "Check now" not in text
