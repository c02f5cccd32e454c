"""The page of paused deliveries after a restore: what a lead sees, and what an admin decides."""

import re

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery import restore_guard
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.views.patches import MAX_PAUSED_SHOWN
from tests.delivery.patches import put, put_many, reload

LIST, URL = "/p/support/deliveries/", "/p/support/deliveries/held/"


@pytest.fixture
def paused(project: Project) -> list[Patch]:
    rows = put_many(project, MAX_PAUSED_SHOWN + 2)
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_deliveries(), "worker")
    return rows


def test_it_is_announced_on_the_list(lead_client: Client, paused: list[Patch]) -> None:
    text = lead_client.get(LIST).text
    assert "<b>Delivery has been paused</b> since" in text
    assert "22 deliveries are waiting." in text


def test_it_lists_the_first_deliveries(admin_client: Client, paused: list[Patch]) -> None:
    page = admin_client.get(URL)
    assert list(page.context["patches"]) == paused[:MAX_PAUSED_SHOWN]
    assert "Resume and send 22 deliveries" in page.text
    assert "First 20 waiting deliveries" in page.text


def test_it_shows_a_lead_no_actions(lead_client: Client, paused: list[Patch]) -> None:
    text = lead_client.get(URL).text
    assert "An admin decides whether to send them." in text
    assert "leave-out/" not in text
    assert lead_client.post(f"{URL}release/").status_code == 403


def test_it_resumes_delivery(admin_client: Client, paused: list[Patch]) -> None:
    assert "Delivery resumed." in admin_client.post(f"{URL}release/", follow=True).text
    assert "Delivery was not paused." in admin_client.post(f"{URL}release/", follow=True).text
    assert Breaker.objects.get().paused_at is None


def test_it_names_both_possible_causes_on_every_page(admin_client: Client, paused: list[Patch]) -> None:
    for url in (LIST, URL, "/p/support/"):
        assert re.search(r"earlier state,\s+or some(one|body) (paused|held)", admin_client.get(url).text)


def test_it_is_shown_on_the_page_of_a_delivery(admin_client: Client, paused: list[Patch]) -> None:
    assert "until an admin resumes it" in admin_client.get(f"{LIST}{paused[0].pk}/").text


def test_it_discards_a_delivery(admin_client: Client, paused: list[Patch]) -> None:
    url = f"{LIST}{paused[0].pk}/leave-out/"
    assert f"Discarded delivery {paused[0].pk}." in admin_client.post(url, follow=True).text
    assert "was not discarded" in admin_client.post(url, follow=True).text
    assert [reload(patch).state for patch in paused[:2]] == [State.SUPERSEDED, State.WAITING]


def test_it_shows_when_delivery_is_not_paused(admin_client: Client, project: Project) -> None:
    put(project, {"score": 1})
    assert "Delivery is not paused for this project." in admin_client.get(URL).text


def test_it_is_announced_on_the_home_page(reviewer_client: Client, paused: list[Patch]) -> None:
    page = reviewer_client.get("/p/support/")
    assert page.context["breaker"].paused_at is not None
    assert 'class="problem"' in page.text
