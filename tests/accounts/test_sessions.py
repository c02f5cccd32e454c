"""Sessions: what their table reveals, and when they end."""

import hashlib

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.accounts.sessions import SessionStore, end_sessions
from reviewapp.accounts.sign_in_models import Session
from tests.cast import sign_in_client
from tests.factories import PASSWORD

PAGE = "/accounts/preferences/"


def is_signed_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


def test_it_stores_a_hash_of_the_id(reviewer_client: Client) -> None:
    session_id = reviewer_client.cookies["sessionid"].value

    assert [row.digest for row in Session.objects.all()] == [hashlib.sha256(session_id.encode()).hexdigest()]


@pytest.mark.sqlite
def test_it_leaves_no_id_in_the_database(reviewer_client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT group_concat(digest || data || address || device) FROM reviewapp_session")
        assert reviewer_client.cookies["sessionid"].value not in cursor.fetchone()[0]


def test_it_refuses_the_hash_as_an_id(reviewer: User, client: Client) -> None:
    """What a copy of the table holds signs in nobody."""
    sign_in_client(reviewer)
    client.cookies[settings.SESSION_COOKIE_NAME] = Session.objects.get().digest

    assert not is_signed_in(client)


def test_it_names_the_person_of_a_session(reviewer: User, client: Client) -> None:
    client.post("/accounts/login/", {"username": "reviewer", "password": PASSWORD})

    assert [session.user for session in Session.objects.all()] == [reviewer]


def test_it_ends_when_idle(reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        client = sign_in_client(reviewer)
        clock.shift(settings.SESSION_IDLE_HOURS * 3600 + 1)
        assert not is_signed_in(client)


def test_it_lasts_while_it_is_used(reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        client = sign_in_client(reviewer)
        for _ in range(3):
            clock.shift(settings.SESSION_IDLE_HOURS * 3600 - 60)
            assert is_signed_in(client)


def test_it_ends_after_its_lifetime_however_it_is_used(reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        client = sign_in_client(reviewer)
        for _ in range(settings.SESSION_DAYS * 4):
            clock.shift(6 * 3600)
            client.get(PAGE)
        assert not is_signed_in(client)


def test_it_is_not_prolonged_by_what_it_stores(reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        client = sign_in_client(reviewer)
        for _ in range(settings.SESSION_DAYS * 4):
            clock.shift(6 * 3600)
            session = client.session
            session["note"] = "later"
            session.save()
        assert not is_signed_in(client)


def test_it_writes_its_last_use_at_most_every_five_minutes(reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        client = sign_in_client(reviewer)
        seen = []
        for seconds in (10, 280, 20):
            clock.shift(seconds)
            client.get(PAGE)
            seen.append(Session.objects.get().seen_at.strftime("%M:%S"))

    assert seen == ["00:00", "00:00", "05:10"]


def test_it_ends_everywhere(reviewer: User) -> None:
    clients = [sign_in_client(reviewer) for _ in range(3)]

    assert end_sessions(reviewer) == 3
    assert [is_signed_in(client) for client in clients] == [False] * 3


def test_it_ends_everywhere_else(reviewer: User) -> None:
    here, elsewhere = sign_in_client(reviewer), sign_in_client(reviewer)
    end_sessions(reviewer, except_digest=SessionStore(here.cookies["sessionid"].value).digest)

    assert (is_signed_in(here), is_signed_in(elsewhere)) == (True, False)


def test_it_deletes_ended_sessions(reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z"):
        sign_in_client(reviewer)
    sign_in_client(reviewer)
    SessionStore.clear_expired()

    assert Session.objects.count() == 1


@pytest.mark.parametrize("session_id", ["", "x", "é" * 40, "a\x00b", "x" * 5_000, "\udcff"])
@pytest.mark.django_db
def test_it_refuses_an_odd_id(session_id: str) -> None:
    assert SessionStore(session_id).load() == {}
