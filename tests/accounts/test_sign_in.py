"""Sign in: who is let in, what others see, and where it redirects."""

from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from reviewapp.accounts.models import FailedSignIn, User
from reviewapp.accounts.sign_in_throttle import MAX_FAILURES
from reviewapp.people.sign_in_form import THROTTLED_MESSAGE
from tests.factories import PASSWORD

PAGE = reverse("accounts:sign-in")
WRONG = "Please enter a correct username and password."


def sign_in(client: Client, username: str, password: str = PASSWORD, **fields: str) -> Any:
    return client.post(PAGE, {"username": username, "password": password, **fields})


def test_it_signs_in(client: Client, reviewer: User) -> None:
    response = sign_in(client, "reviewer")

    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(reviewer.pk)


def test_it_renews_the_session(client: Client, reviewer: User) -> None:
    session = client.session
    session["planted"] = "by an attacker who set the cookie"
    session.save()
    sign_in(client, "reviewer")

    assert client.session.session_key != session.session_key


@pytest.mark.django_db
def test_it_shows_the_form_to_strangers(client: Client) -> None:
    response = client.get(PAGE)

    assert response.status_code == 200
    assert b'name="password"' in response.content


def test_it_refuses_a_wrong_password(client: Client, reviewer: User) -> None:
    response = sign_in(client, "reviewer", "wrong")

    assert response.status_code == 422
    assert WRONG in response.content.decode()
    assert "_auth_user_id" not in client.session


def test_it_never_shows_the_password(client: Client, reviewer: User) -> None:
    assert b"not-my-password" not in sign_in(client, "reviewer", "not-my-password").content


def test_it_refuses_an_inactive_user_like_an_unknown_one(client: Client, reviewer: User) -> None:
    """The response must not reveal whether a username exists."""
    reviewer.is_active = False
    reviewer.save(update_fields=["is_active"])
    inactive, unknown = sign_in(client, "reviewer"), sign_in(client, "nobodyno")

    assert inactive.status_code == unknown.status_code == 422
    assert WRONG in inactive.content.decode()
    assert len(inactive.content) == len(unknown.content)


@pytest.mark.parametrize("username", ["", " ", "x" * 81, "a\x00b", "\u202e", "' OR 1=1 --", "<script>"])
def test_it_refuses_an_odd_username(client: Client, reviewer: User, username: str) -> None:
    response = sign_in(client, username)

    assert response.status_code == 422
    assert b'role="alert"' in response.content
    assert b"<script>" not in response.content


@pytest.mark.django_db
def test_it_refuses_an_empty_form(client: Client) -> None:
    response = client.post(PAGE)

    assert response.status_code == 422
    assert b'role="alert"' in response.content


def fail(client: Client, username: str, times: int = MAX_FAILURES) -> None:
    for _ in range(times):
        sign_in(client, username, "wrong")


def test_it_throttles_guessing(client: Client, reviewer: User) -> None:
    fail(client, "reviewer")
    response = sign_in(client, "reviewer")

    assert response.status_code == 429
    assert escape(THROTTLED_MESSAGE) in response.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_it_throttles_unknown_usernames(client: Client) -> None:
    fail(client, "nobody")

    assert sign_in(client, "nobody").status_code == 429


def test_it_throttles_a_username_in_any_case(client: Client, reviewer: User) -> None:
    fail(client, "ReViewer")

    assert sign_in(client, "reviewer").status_code == 429


def test_it_throttles_no_other_user(client: Client, reviewer: User, colleague: User) -> None:
    fail(client, "reviewer")

    assert sign_in(client, "colleague").status_code == 302


def test_it_signs_in_before_the_tenth_failure(client: Client, reviewer: User) -> None:
    fail(client, "reviewer", MAX_FAILURES - 1)

    assert sign_in(client, "reviewer").status_code == 302


def test_it_clears_failures_after_signing_in(client: Client, reviewer: User) -> None:
    fail(client, "reviewer", MAX_FAILURES - 1)
    sign_in(client, "reviewer")

    assert not FailedSignIn.objects.filter(subject__contains="reviewer").exists()


def test_it_signs_in_after_ten_minutes(client: Client, reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        fail(client, "reviewer")
        clock.shift(601)
        assert sign_in(client, "reviewer").status_code == 302


def test_it_redirects_to_the_requested_page(client: Client, reviewer: User) -> None:
    redirect = client.get("/p/support/queues/?state=pending")
    page = client.get(redirect["Location"])

    assert b'name="next" value="/p/support/queues/?state=pending"' in page.content
    assert sign_in(client, "reviewer", next="/p/support/queues/?a=1")["Location"] == "/p/support/queues/?a=1"


FOREIGN_URLS = [
    "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example",
    "///evil.example", "javascript:alert(1)", "data:text/html,x", "\x00//evil.example", " //evil.example",
    "\t//evil.example", "evil.example", "0", "home:home", "../p/", "?next=/", "https://testserver@evil.example/", "http://testserver.evil.example/",
]  # fmt: skip


@pytest.mark.parametrize("next_page", FOREIGN_URLS)
def test_it_refuses_to_redirect_to_another_site(client: Client, reviewer: User, next_page: str) -> None:
    assert sign_in(client, "reviewer", next=next_page)["Location"] == "/"


def test_it_escapes_line_breaks_in_the_next_page(client: Client, reviewer: User) -> None:
    response = sign_in(client, "reviewer", next="/p/x\r\nSet-Cookie: a=b")

    assert response["Location"] == "/p/x%0D%0ASet-Cookie:%20a=b"


def test_it_redirects_a_signed_in_user(reviewer_client: Client) -> None:
    response = reviewer_client.get(PAGE, {"next": "/p/support/queues/"})

    assert (response.status_code, response["Location"]) == (302, "/p/support/queues/")


def test_it_refuses_a_form_without_csrf_token(reviewer: User) -> None:
    response = sign_in(Client(enforce_csrf_checks=True), "reviewer")

    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()


@pytest.mark.django_db
def test_it_refuses_a_session_cookie_with_a_nul(client: Client) -> None:
    client.cookies["sessionid"] = "a-session-key\x00"

    assert client.get("/").status_code == 302
