"""Ids of requests, and log lines for what is slow."""

import pytest
from django.conf import LazySettings
from django.test import Client

pytestmark = pytest.mark.django_db


def test_it_gives_each_request_an_id(client: Client) -> None:
    first, second = (client.get("/accounts/login/")["X-Request-Id"] for _ in range(2))
    assert len(first) == len(second) == 32
    assert first != second


@pytest.mark.parametrize(("proposed", "is_taken"), [
    ("proxy-id-0001", True), ("short", False), ("x" * 65, False), ('"},{"level', False), ("ünïcödé-id", False),
])  # fmt: skip
def test_it_takes_over_a_usable_id(client: Client, proposed: str, is_taken: bool) -> None:
    response = client.get("/accounts/login/", headers={"X-Request-Id": proposed})
    assert (response["X-Request-Id"] == proposed) is is_taken


def test_it_logs_a_slow_request_without_its_query(
    client: Client, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SLOW_REQUEST_SECONDS = 1e-9
    client.get("/accounts/login/?next=/secret/")
    (message,) = caplog.messages
    assert message.startswith("Slow request: GET /accounts/login/ took ")
    assert "secret" not in message


def test_it_logs_a_slow_query_without_its_parameters(
    client: Client, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SLOW_QUERY_SECONDS = 1e-9
    client.post("/accounts/login/", {"username": "canary", "password": "canary"})
    assert any(message.startswith("Slow query: ") and "SELECT" in message for message in caplog.messages)
    assert "canary" not in caplog.text


def test_it_logs_nothing_by_default(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/accounts/login/")
    assert caplog.messages == []
