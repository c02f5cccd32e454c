"""The status page."""

from django.test import Client
from pytest_django import Settings

URL = "/p/support/status/"


def test_it_shows_each_check(admin_client: Client) -> None:
    response = admin_client.get(URL)

    assert response.status_code == 200
    for name in ("Mode", "Cookies", "Secrets", "Place of the master key", "Files", "Proxies in front"):
        assert f">{name}<" in response.text


def test_it_says_what_to_do(admin_client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "changeme" * 4
    text = admin_client.get(URL).text

    assert "METRICS_TOKEN looks like a placeholder: it contains “changeme”." in text
    assert "Generate one: python -c" in text


def test_it_notices_tls_in_front(admin_client: Client) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    text = admin_client.get(URL, headers=headers).text

    assert "This page came over https, but cookies are also sent over http." in text
    assert "TRUSTED_PROXIES is 0, but X-Forwarded-For has 1." in text


def test_it_notices_nothing_behind_a_proxy_that_is_set(admin_client: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXIES, settings.SECURE_COOKIES = 1, True
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}

    assert "TRUSTED_PROXIES is" not in admin_client.get(URL, headers=headers).text
