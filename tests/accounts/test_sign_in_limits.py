"""Limits of guessing: what counts as one account or address, and who passes while others guess."""

from functools import partial
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from reviewapp.accounts import sign_in_throttle
from reviewapp.accounts.models import FailedSignIn, User
from reviewapp.accounts.password_hasher import BusyError, LowPriorityHasher, take_place
from reviewapp.accounts.sign_in_throttle import ThrottledError, count_try, forgive
from tests.factories import PASSWORD
from tests.threads import run_concurrently

PAGE = "/accounts/login/"


def sign_in(client: Client, username: str, password: str = PASSWORD, address: str = "192.0.2.1", **headers: str) -> Any:
    fields = {"username": username, "password": password}
    return client.post(PAGE, fields, REMOTE_ADDR=address, headers=headers)


SPELLINGS = [
    "Reviewer", " reviewer ", "\u3000reviewer", "ｒｅｖｉｅｗｅｒ", "REVIEWER", "reviewer\t", "rev\u200biewer",
    "reviewer" + " " * 300,
]  # fmt: skip


def test_it_counts_every_spelling_as_one_account(client: Client, reviewer: User) -> None:
    statuses = [sign_in(client, spelling, "wrong").status_code for spelling in SPELLINGS * 2]

    assert statuses == [422] * 10 + [429] * 6


@pytest.mark.django_db
def test_it_limits_an_account_over_all_addresses(client: Client) -> None:
    statuses = [sign_in(client, "reviewer", "wrong", f"10.0.{n}.1").status_code for n in range(22)]

    assert statuses == [422] * 20 + [429] * 2


@pytest.mark.django_db
def test_it_limits_an_address_over_all_accounts(client: Client) -> None:
    statuses = [sign_in(client, f"name-{n}", "wrong").status_code for n in range(52)]

    assert statuses == [422] * 50 + [429] * 2


@pytest.mark.django_db
@pytest.mark.parametrize("network", ["198.51.100.{}", "2001:db8:0:7::{}", "::ffff:198.51.100.{}"])
def test_it_limits_a_network(client: Client, network: str) -> None:
    statuses = [sign_in(client, f"name-{n}", "wrong", network.format(n % 250)).status_code for n in range(202)]

    assert statuses == [422] * 200 + [429] * 2


@pytest.mark.django_db
def test_it_counts_no_refused_try(client: Client) -> None:
    """Whoever goes on from one address does not lock the account for others."""
    for _ in range(30):
        sign_in(client, "reviewer", "wrong")

    assert FailedSignIn.objects.get(subject="name reviewer").count == 10


def test_it_lets_a_known_device_pass(client: Client, reviewer: User) -> None:
    sign_in(client, "reviewer")
    client.post("/accounts/logout/")
    for n in range(25):
        sign_in(Client(), "reviewer", "wrong", f"10.0.{n}.1")

    assert sign_in(Client(), "reviewer").status_code == 429
    assert sign_in(client, "reviewer").status_code == 302


def test_it_limits_a_known_device(client: Client, reviewer: User) -> None:
    sign_in(client, "reviewer")
    client.post("/accounts/logout/")

    assert [sign_in(client, "reviewer", "wrong").status_code for _ in range(7)] == [422] * 5 + [429] * 2


def test_it_knows_a_device_for_its_own_names_only(client: Client, reviewer: User, colleague: User) -> None:
    sign_in(client, "colleague")
    client.post("/accounts/logout/")
    for n in range(25):
        sign_in(Client(), "reviewer", "wrong", f"10.0.{n}.1")

    assert sign_in(client, "reviewer").status_code == 429


@pytest.mark.parametrize("cookie", ["", "x", "a:b:c", "é", "x" * 9_000])
def test_it_knows_no_forged_device(client: Client, reviewer: User, cookie: str) -> None:
    client.cookies["device"] = cookie
    for n in range(25):
        sign_in(Client(), "reviewer", "wrong", f"10.0.{n}.1")

    assert sign_in(client, "reviewer").status_code == 429


@pytest.mark.django_db
def test_it_believes_no_address_without_trusted_proxies(client: Client) -> None:
    for n in range(60):
        response = sign_in(client, f"name-{n}", "wrong", **{"X-Forwarded-For": f"203.0.{n}.9"})

    assert response.status_code == 429


@pytest.mark.django_db
def test_it_limits_clients_behind_a_proxy_apart(client: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    forwarded = [f"1.2.3.4, 203.0.{n}.9" for n in range(60)]
    statuses = {
        sign_in(client, f"name-{n}", "wrong", **{"X-Forwarded-For": text}).status_code
        for n, text in enumerate(forwarded)
    }

    assert statuses == {422}


@pytest.mark.django_db
def test_it_deletes_old_counts() -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        for name in ("one", "two", "three"):
            count_try(name, "")
        clock.shift(601)
        count_try("four", "")

    assert [(row.subject, row.count) for row in FailedSignIn.objects.all()] == [("name four", 1)]


@pytest.mark.django_db
def test_it_takes_a_success_from_what_others_share() -> None:
    count_try("ana", "192.0.2.1")
    forgive(count_try("bo", "192.0.2.1"))

    assert dict(FailedSignIn.objects.values_list("subject", "count")) == {
        "name ana": 1, "pair 192.0.2.1 ana": 1, "address 192.0.2.1": 1, "range 192.0.2.0/24": 1,
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_it_counts_tries_at_the_same_time() -> None:
    run_concurrently([partial(count_try, "ana", "192.0.2.1")] * 6)

    assert set(FailedSignIn.objects.values_list("count", flat=True)) == {6}


@pytest.mark.django_db
def test_it_reads_only_while_it_refuses(django_assert_num_queries: Any) -> None:
    for _ in range(sign_in_throttle.MAX_FAILURES):
        count_try("ana", "192.0.2.1")

    with django_assert_num_queries(1), pytest.raises(ThrottledError):
        count_try("ana", "192.0.2.1")


def test_it_refuses_more_sign_ins_than_fit() -> None:
    with take_place(is_known=False), take_place(is_known=False):
        with pytest.raises(BusyError), take_place(is_known=False):
            raise AssertionError
        with take_place(is_known=True):
            pass


def test_it_says_that_others_are_signing_in(client: Client, reviewer: User) -> None:
    with take_place(is_known=False), take_place(is_known=False):
        response = sign_in(client, "reviewer")

    assert response.status_code == 429
    assert "Many people are signing in at once." in response.text


def test_it_hashes_as_django_does() -> None:
    hasher = LowPriorityHasher()
    encoded = hasher.encode("a password", "0123456789abcdefghijkl", 1_000)

    assert encoded == "pbkdf2_sha256$1000$0123456789abcdefghijkl$" + encoded.rpartition("$")[2]
    assert hasher.verify("a password", encoded)
    assert not hasher.verify("another one", encoded)
