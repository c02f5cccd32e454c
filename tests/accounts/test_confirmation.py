"""The password is asked for again before keys, people and exports."""

from datetime import timedelta

import pytest
from django.test import Client

from reviewapp.accounts.models import Membership, User
from reviewapp.accounts.sign_in_models import Session
from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock
from tests.factories import PASSWORD

TOKENS = "/p/support/keys/tokens/"


@pytest.fixture
def stale_client(admin_client: Client) -> Client:
    """An admin who signed in eleven minutes ago."""
    Session.objects.update(created_at=clock.now() - timedelta(minutes=11))
    return admin_client


@pytest.mark.parametrize(
    "path", ["/p/support/keys/", "/p/support/people/", "/p/support/traces/export.csv", "/p/support/traces/export.jsonl"]
)
def test_it_asks_before_a_page(stale_client: Client, path: str) -> None:
    response = stale_client.get(path)

    assert response.status_code == 403
    assert "Confirm your password" in response.text
    fields = {"confirm_password": PASSWORD, "confirm_method": "GET"}
    assert stale_client.post(path, fields)["Location"] == path
    assert stale_client.get(path).status_code == 200


def test_it_asks_before_an_act_and_goes_on_with_it(stale_client: Client) -> None:
    response = stale_client.post(TOKENS, {"name": "check<out>"})
    assert response.status_code == 403
    assert '<input type="hidden" name="name" value="check&lt;out&gt;">' in response.text
    assert not AccessToken.objects.exists()

    fields = {"name": "check<out>", "confirm_password": PASSWORD, "confirm_method": "POST"}
    assert stale_client.post(TOKENS, fields).status_code == 200
    assert AccessToken.objects.get().name == "check<out>"


def test_it_refuses_a_wrong_password(stale_client: Client) -> None:
    response = stale_client.post(TOKENS, {"name": "ci", "confirm_password": "wrong", "confirm_method": "POST"})

    assert response.status_code == 422
    assert "This is not your password. Nothing was changed." in response.text
    assert 'name="name" value="ci"' in response.text
    assert "wrong" not in response.text
    assert not AccessToken.objects.exists()


def test_it_limits_tries(stale_client: Client) -> None:
    texts = [stale_client.post(TOKENS, {"confirm_password": "wrong"}).text for _ in range(6)]

    assert ["Too many failed attempts" in text for text in texts] == [False] * 5 + [True]


def test_it_repeats_no_secret(stale_client: Client) -> None:
    response = stale_client.post("/p/support/keys/laminar/", {"key": "canary-key-of-laminar"})

    assert response.status_code == 403
    assert "canary" not in response.text


def test_it_asks_again_after_ten_minutes(stale_client: Client) -> None:
    stale_client.post("/p/support/keys/", {"confirm_password": PASSWORD, "confirm_method": "GET"})
    Session.objects.update(confirmed_at=clock.now() - timedelta(minutes=11))

    assert stale_client.get("/p/support/keys/").status_code == 403


def test_it_asks_nothing_for_reviewing(reviewer: User, reviewer_client: Client) -> None:
    Session.objects.update(created_at=clock.now() - timedelta(minutes=11))

    assert Membership.objects.filter(user=reviewer).exists()
    assert reviewer_client.get("/p/support/").status_code == 200
