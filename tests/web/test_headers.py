"""Security headers of every response: no foreign code, no frames, no cached pages."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.queues.models import QueueItem
from tests.factories import PASSWORD
from tests.routes import ALL_ROUTES, Route, for_each_route, make_url_values

POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "font-src": "'self'",
    "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip


# Images come from traces, so they are untrusted.
IMAGE_POLICY = {"sandbox": "", "default-src": "'none'"}


def parse_policy(response: Any) -> dict[str, str]:
    parts = [part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";")]
    return {name: value for name, _, value in parts if name}


@for_each_route(ALL_ROUTES)
def test_it_sets_headers_on_every_response(route: Route, admin_client: Client, item: QueueItem) -> None:
    response = admin_client.get(route.url(make_url_values(item)))

    assert parse_policy(response) == (IMAGE_POLICY if response["Content-Type"].startswith("image/") else POLICY)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    if response.status_code == 200 and response["Content-Type"].startswith("text/html"):
        assert response["Cache-Control"] == "no-store, private"


ERRORS = [
    ("/nothing", 404, {}),
    ("/p/nowhere/", 404, {}),
    ("/p/support/audit/", 403, {}),
    ("/", 400, {"Host": "evil.example"}),
]


@pytest.mark.parametrize(("path", "status", "headers"), ERRORS)
def test_it_sets_headers_on_an_error(reviewer_client: Client, path: str, status: int, headers: dict[str, str]) -> None:
    response = reviewer_client.get(path, headers=headers)

    assert response.status_code == status
    assert parse_policy(response) == POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize("path", ["/static/icon.svg", "/static/js/main.js", "/static/css/base.css"])
def test_it_sets_headers_on_a_static_file(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert parse_policy(response) == POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/api/v1/nothing", "/static/nothing.js"])
def test_it_sets_headers_on_probes_and_api_errors(client: Client, db: None, path: str) -> None:
    response = client.get(path)

    assert parse_policy(response) == POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND"])
def test_it_refuses_a_method_that_no_address_answers(client: Client, method: str) -> None:
    response = client.generic(method, "/static/icon.svg")

    assert (response.status_code, response["Cache-Control"]) == (405, "no-store, private")
    assert "GET" in response["Allow"]
    assert parse_policy(response) == POLICY


def test_it_allows_nothing_unsafe() -> None:
    assert "unsafe" not in str(settings.CONTENT_SECURITY_POLICY)


def test_it_hides_the_session_cookie_from_scripts_and_other_sites(client: Client, reviewer: User) -> None:
    client.post("/accounts/login/", {"username": "reviewer", "password": PASSWORD})
    cookie = client.cookies["sessionid"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
