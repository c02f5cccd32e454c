"""The client's address, behind proxies or not."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from reviewapp.web.client_address import get_address, get_range


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "8.8.8.8, 203.0.113.9", "203.0.113.9"),
        (2, "8.8.8.8, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "unknown", "10.0.0.1"),
        (1, ",", "10.0.0.1"),
    ],
)
def test_it_finds_the_client(settings: Settings, proxies: int, forwarded: str, address: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded})

    assert get_address(request) == address


def test_it_knows_no_client_of_a_unix_socket() -> None:
    assert get_address(RequestFactory().get("/", REMOTE_ADDR="")) == ""


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.9", "203.0.113.0/24"), ("2001:db8:0:7:1:2:3:4", "2001:db8:0:7::/64")],
)
def test_it_names_the_network(address: str, network: str) -> None:
    assert get_range(address) == network
