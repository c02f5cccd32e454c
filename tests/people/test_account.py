"""One's own account: password, sessions, history."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.accounts.sign_in_models import Session
from reviewapp.audit.models import AuditEvent
from tests.cast import sign_in_client
from tests.factories import PASSWORD

PAGE = "/accounts/account/"
NEW = "seven quiet lamps at noon"


def change_password(client: Client, **changes: str) -> Any:
    return client.post(f"{PAGE}password/", {"current": PASSWORD, "password": NEW, "again": NEW, **changes})


def test_it_changes_the_password_and_ends_other_sessions(reviewer: User, reviewer_client: Client) -> None:
    elsewhere = sign_in_client(reviewer)

    assert change_password(reviewer_client)["Location"] == PAGE
    assert reviewer_client.get(PAGE).status_code == 200
    assert elsewhere.get(PAGE).status_code == 302
    assert Session.objects.count() == 1
    assert Client().post("/accounts/login/", {"username": "reviewer", "password": NEW}).status_code == 302
    assert AuditEvent.objects.filter(verb="changed password", actor=reviewer).count() == 1


def test_it_renews_the_session_id(reviewer_client: Client) -> None:
    before = reviewer_client.cookies["sessionid"].value
    change_password(reviewer_client)

    assert reviewer_client.cookies["sessionid"].value != before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"current": "wrong"}, "This is not your password."),
        ({"current": ""}, "This is not your password."),
        ({"password": "short", "again": "short"}, "This password is too short."),
        ({"password": "password1234", "again": "password1234"}, "This password is too common."),
        ({"again": "other"}, "The two passwords differ."),
    ],
)
def test_it_refuses_a_bad_password(
    reviewer: User, reviewer_client: Client, changes: dict[str, str], sentence: str
) -> None:
    before = reviewer.password
    response = change_password(reviewer_client, **changes)

    reviewer.refresh_from_db()
    assert response.status_code == 422
    assert sentence in response.text
    assert NEW not in response.text
    assert reviewer.password == before


def test_it_limits_tries_of_the_current_password(reviewer_client: Client) -> None:
    texts = [change_password(reviewer_client, current="wrong").text for _ in range(6)]

    assert ["Too many failed attempts" in text for text in texts] == [False] * 5 + [True]


def test_it_lists_sessions_and_ends_one(reviewer: User, reviewer_client: Client) -> None:
    elsewhere = sign_in_client(reviewer)
    (digest,) = Session.objects.exclude(
        digest=reviewer_client.session.digest  # type: ignore[attr-defined]
    ).values_list("digest", flat=True)
    assert digest in reviewer_client.get(PAGE).text

    reviewer_client.post(f"{PAGE}sessions/end/", {"session": digest})
    assert elsewhere.get(PAGE).status_code == 302
    assert reviewer_client.get(PAGE).status_code == 200


def test_it_ends_all_other_sessions(reviewer: User, reviewer_client: Client) -> None:
    clients = [sign_in_client(reviewer) for _ in range(3)]
    response = reviewer_client.post(f"{PAGE}sessions/end/", {"session": "others"}, follow=True)

    assert "Signed out on 3 other devices." in response.text
    assert {client.get(PAGE).status_code for client in clients} == {302}


@pytest.mark.parametrize("digest", ["", "x", "a\x00", "0" * 64])
def test_it_ends_no_unknown_session(reviewer_client: Client, digest: str) -> None:
    response = reviewer_client.post(f"{PAGE}sessions/end/", {"session": digest}, follow=True)

    assert "Signed out on 0 other devices." in response.text
    assert not AuditEvent.objects.exists()


def test_it_ends_no_session_of_others(reviewer_client: Client, colleague_client: Client, colleague: User) -> None:
    digest = Session.objects.get(user=colleague).digest
    reviewer_client.post(f"{PAGE}sessions/end/", {"session": digest})

    assert colleague_client.get(PAGE).status_code == 200


def test_it_shows_the_history(client: Client, reviewer: User) -> None:
    for password in ("wrong", "wrong", PASSWORD):
        client.post("/accounts/login/", {"username": "reviewer", "password": password})
    text = client.get(PAGE).text

    assert "Failed, 2 times" in text
    assert "Signed in" in text
