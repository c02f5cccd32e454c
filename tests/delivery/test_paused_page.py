"""The page of what is held after a restore: what a lead sees, and what an admin decides."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery import restore_guard
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.views.patches import MAX_PAUSED_SHOWN
from tests.delivery.patches import put, put_many, reload

LIST, URL = "/p/support/deliveries/", "/p/support/deliveries/held/"


@pytest.fixture
def held(project: Project) -> list[Patch]:
    rows = put_many(project, MAX_PAUSED_SHOWN + 2)
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_patches(), "worker")
    return rows


def test_the_list_tells_what_is_held(lead_client: Client, held: list[Patch]) -> None:
    text = lead_client.get(LIST).text
    assert "<b>What waits is held</b> since" in text
    assert "22 deliveries wait." in text


def test_it_lists_the_first_with_their_keys(admin_client: Client, held: list[Patch]) -> None:
    page = admin_client.get(URL)
    assert list(page.context["patches"]) == held[:MAX_PAUSED_SHOWN]
    assert "Send all 22 that wait" in page.text
    assert "The first 20" in page.text


def test_a_lead_looks_and_an_admin_decides(lead_client: Client, held: list[Patch]) -> None:
    text = lead_client.get(URL).text
    assert "An admin decides." in text
    assert "Leave it out" not in text
    assert lead_client.post(f"{URL}release/").status_code == 403


def test_it_sends_what_waits(admin_client: Client, held: list[Patch]) -> None:
    assert "What waited is being sent." in admin_client.post(f"{URL}release/", follow=True).text
    assert "Nothing was held any more." in admin_client.post(f"{URL}release/", follow=True).text
    assert Breaker.objects.get().paused_at is None


def test_no_page_says_for_certain_what_may_have_been_done_by_hand(admin_client: Client, held: list[Patch]) -> None:
    for url in (LIST, URL, "/p/support/"):
        assert "put back to an earlier state, or somebody held" in admin_client.get(url).text


def test_the_page_of_a_delivery_says_that_it_is_held(admin_client: Client, held: list[Patch]) -> None:
    assert "until an admin has looked" in admin_client.get(f"{LIST}{held[0].pk}/").text


def test_it_leaves_one_out(admin_client: Client, held: list[Patch]) -> None:
    act = f"{LIST}{held[0].pk}/leave-out/"
    assert f"Delivery {held[0].pk} is left out" in admin_client.post(act, follow=True).text
    assert "was not left out" in admin_client.post(act, follow=True).text
    assert [reload(patch).state for patch in held[:2]] == [State.SUPERSEDED, State.WAITING]


def test_it_says_when_nothing_is_held(admin_client: Client, project: Project) -> None:
    put(project, {"score": 1})
    assert "Nothing is held in this project." in admin_client.get(URL).text


def test_home_tells_it_too(reviewer_client: Client, held: list[Patch]) -> None:
    assert "what waits for Laminar is held" in reviewer_client.get("/p/support/").text
