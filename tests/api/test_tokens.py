"""Authentication: only a currently valid access token."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from tests.api.http_calls import ITEMS_URL, post

BODY = {"items": [{"trace_id": "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04"}]}


def assert_unauthorized(response: Any) -> None:
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json() == {
        "error": "The access token is missing, wrong, expired or revoked. Send it as “Authorization: Bearer <token>”."
    }
    assert not QueueItem.objects.exists()


@pytest.mark.parametrize("token", [None, "", " ", "rvw_wrong", "rvw_" + "x" * 10_000, "a b c", "\xff"])
def test_it_refuses_any_other_token(queue: Queue, token: str | None) -> None:
    assert_unauthorized(post(BODY, token))


@pytest.mark.parametrize("scheme", ["", "Basic ", "Token ", "Bearer\t", "Bearer: "])
def test_it_refuses_another_scheme(queue: Queue, token: str, scheme: str) -> None:
    assert_unauthorized(post(BODY, None, Authorization=f"{scheme}{token}"))


def test_it_refuses_a_token_anywhere_else(queue: Queue, token: str) -> None:
    assert_unauthorized(post(BODY, None, url=f"{ITEMS_URL}?token={token}&access_token={token}"))
    assert_unauthorized(post({**BODY, "token": token}, None))
    assert_unauthorized(post(BODY, None, **{"X-Api-Key": token}))


def test_it_refuses_a_revoked_token(queue: Queue, token: str) -> None:
    AccessToken.objects.update(revoked_at=clock.now())

    assert_unauthorized(post(BODY, token))


def test_it_refuses_an_expired_token(queue: Queue, token: str) -> None:
    AccessToken.objects.update(expires_at=clock.now() - timedelta(seconds=1))

    assert_unauthorized(post(BODY, token))


def test_it_refuses_a_wrong_token_before_looking_up_the_queue(queue: Queue) -> None:
    assert_unauthorized(post(BODY, "wrong", url=ITEMS_URL.replace("answers", "no-such")))


def test_it_refuses_a_session(queue: Queue, admin_client: Client) -> None:
    assert_unauthorized(admin_client.post(ITEMS_URL, BODY, content_type="application/json"))


def test_it_records_the_last_use(queue: Queue, token: str) -> None:
    post(BODY, token)

    assert AccessToken.objects.get().last_used_at is not None


def test_it_logs_no_token(queue: Queue, token: str, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.DEBUG = True
    post(BODY, None, Authorization=f"Basic {token}")
    post(BODY, token)

    assert token not in caplog.text


@pytest.mark.parametrize("path", ["", "nothing"])
def test_it_answers_404_in_json_without_the_token_of_a_form(path: str) -> None:
    response = Client(enforce_csrf_checks=True).post(f"/api/v1/{path}", "{}", content_type="application/json")
    assert (response.status_code, response["Content-Type"]) == (404, "application/json")
