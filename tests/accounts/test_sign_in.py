"""Signing in: who gets in, what the others are told, and where one lands."""

from functools import partial
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from reviewapp.accounts.models import FailedSignIn, User
from reviewapp.accounts.sign_in_throttle import MAX_FAILURES, record_failure
from reviewapp.accounts.views import THROTTLED_MESSAGE
from tests.factories import PASSWORD
from tests.threads import run_concurrently

PAGE = reverse("accounts:sign-in")
WRONG = "Please enter a correct username and password."


def tries(client: Client, username: str, password: str = PASSWORD, **fields: str) -> Any:
    return client.post(PAGE, {"username": username, "password": password, **fields})


def test_it_lets_a_person_in(client: Client, reviewer: User) -> None:
    response = tries(client, "reviewer")

    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(reviewer.pk)


def test_it_makes_the_session_anew(client: Client, reviewer: User) -> None:
    session = client.session
    session["left"] = "by somebody who chose the cookie"
    session.save()
    tries(client, "reviewer")

    assert client.session.session_key != session.session_key


@pytest.mark.django_db
def test_it_shows_the_form_to_strangers(client: Client) -> None:
    response = client.get(PAGE)

    assert response.status_code == 200
    assert b'name="password"' in response.content


def test_it_refuses_a_wrong_password(client: Client, reviewer: User) -> None:
    response = tries(client, "reviewer", "wrong")

    assert response.status_code == 422
    assert WRONG in response.content.decode()
    assert "_auth_user_id" not in client.session


def test_it_never_shows_the_password(client: Client, reviewer: User) -> None:
    assert b"not-my-password" not in tries(client, "reviewer", "not-my-password").content


def test_it_tells_unknown_names_the_same(client: Client, reviewer: User) -> None:
    """Whether a name exists must not show."""
    reviewer.is_active = False
    reviewer.save(update_fields=["is_active"])
    inactive, unknown = tries(client, "reviewer"), tries(client, "nobodyno")

    assert inactive.status_code == unknown.status_code == 422
    assert WRONG in inactive.content.decode()
    assert len(inactive.content) == len(unknown.content)


@pytest.mark.parametrize("username", ["", " ", "x" * 81, "a\x00b", "\u202e", "' OR 1=1 --", "<script>"])
def test_it_refuses_odd_names_with_a_sentence(client: Client, reviewer: User, username: str) -> None:
    response = tries(client, username)

    assert response.status_code == 422
    assert b'role="alert"' in response.content
    assert b"<script>" not in response.content


@pytest.mark.django_db
def test_it_refuses_an_empty_form_with_a_sentence(client: Client) -> None:
    response = client.post(PAGE)

    assert response.status_code == 422
    assert b'role="alert"' in response.content


def fail(client: Client, username: str, times: int = MAX_FAILURES) -> None:
    for _ in range(times):
        tries(client, username, "wrong")


def test_it_holds_whoever_guesses(client: Client, reviewer: User) -> None:
    fail(client, "reviewer")
    response = tries(client, "reviewer")

    assert response.status_code == 429
    assert escape(THROTTLED_MESSAGE) in response.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_it_holds_unknown_names_too(client: Client) -> None:
    fail(client, "nobody")

    assert tries(client, "nobody").status_code == 429


def test_it_holds_a_name_in_any_case(client: Client, reviewer: User) -> None:
    fail(client, "ReViewer")

    assert tries(client, "reviewer").status_code == 429


def test_it_holds_nobody_else(client: Client, reviewer: User, colleague: User) -> None:
    fail(client, "reviewer")

    assert tries(client, "colleague").status_code == 302


def test_it_lets_in_before_the_tenth_failure(client: Client, reviewer: User) -> None:
    fail(client, "reviewer", MAX_FAILURES - 1)

    assert tries(client, "reviewer").status_code == 302


def test_it_forgets_failures_after_a_good_password(client: Client, reviewer: User) -> None:
    fail(client, "reviewer", MAX_FAILURES - 1)
    tries(client, "reviewer")

    assert not FailedSignIn.objects.exists()


def test_it_lets_in_after_ten_minutes(client: Client, reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        fail(client, "reviewer")
        clock.shift(601)
        assert tries(client, "reviewer").status_code == 302


@pytest.mark.django_db
def test_it_keeps_no_old_failures(client: Client) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        for name in ("one", "two", "three"):
            fail(client, name, 1)
        clock.shift(601)
        fail(client, "four", 1)

    assert [(row.subject.split()[0], row.count) for row in FailedSignIn.objects.all()] == [("four", 1)]


@pytest.mark.django_db(transaction=True)
def test_it_counts_failures_that_come_at_once() -> None:
    run_concurrently([partial(record_failure, "ana", "192.0.2.1")] * 6)

    assert FailedSignIn.objects.get().count == 6


def test_it_keeps_where_one_was_going(client: Client, reviewer: User) -> None:
    asked = client.get("/p/support/queues/?state=pending")
    page = client.get(asked["Location"])

    assert b'name="next" value="/p/support/queues/?state=pending"' in page.content
    assert tries(client, "reviewer", next="/p/support/queues/?a=1")["Location"] == "/p/support/queues/?a=1"


ELSEWHERE = [
    "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example",
    "///evil.example", "javascript:alert(1)", "data:text/html,x", "\x00//evil.example", " //evil.example",
    "\t//evil.example", "evil.example", "0", "home:home", "../p/", "?next=/", "https://testserver@evil.example/", "http://testserver.evil.example/",
]  # fmt: skip


@pytest.mark.parametrize("next_page", ELSEWHERE)
def test_it_refuses_to_send_people_elsewhere(client: Client, reviewer: User, next_page: str) -> None:
    assert tries(client, "reviewer", next=next_page)["Location"] == "/"


def test_it_keeps_a_next_page_on_one_header_line(client: Client, reviewer: User) -> None:
    response = tries(client, "reviewer", next="/p/x\r\nSet-Cookie: a=b")

    assert response["Location"] == "/p/x%0D%0ASet-Cookie:%20a=b"


def test_it_sends_on_whoever_is_signed_in(reviewer_client: Client) -> None:
    response = reviewer_client.get(PAGE, {"next": "/p/support/queues/"})

    assert (response.status_code, response["Location"]) == (302, "/p/support/queues/")


def test_it_asks_for_the_forms_own_token(reviewer: User) -> None:
    response = tries(Client(enforce_csrf_checks=True), "reviewer")

    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()


@pytest.mark.django_db
def test_a_cookie_that_holds_a_nul_is_nobodys(client: Client) -> None:
    client.cookies["sessionid"] = "a-session-key\x00"

    assert client.get("/").status_code == 302
