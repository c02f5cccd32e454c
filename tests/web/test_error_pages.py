"""Error pages explain what happened, and reveal nothing else."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from reviewapp.queues.models import Queue


def assert_error_page(response: Any, status: int, title: str, *sentences: str) -> None:
    content = response.content.decode()
    assert response.status_code == status
    assert f"<h1>{title}</h1>" in content
    for sentence in sentences:
        assert sentence in content
    for internal in ("Traceback", "django.", "/site-packages/", "SELECT", "DEBUG", "docs_url"):
        assert internal not in content


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/nothing", "/p/", "/accounts/", "/p/a/b/c/d/", "/p/UPPER CASE/", "/static/no"])
def test_it_refuses_an_unknown_url(client: Client, path: str) -> None:
    assert_error_page(client.get(path), 404, "Page not found", "The URL is wrong, or the page was deleted.")


def test_it_refuses_an_unknown_project(reviewer_client: Client) -> None:
    assert_error_page(reviewer_client.get("/p/nowhere/"), 404, "Page not found", "There is no such project")


def test_it_refuses_an_unknown_queue(reviewer_client: Client) -> None:
    assert_error_page(
        reviewer_client.get("/p/support/queues/no/"), 404, "Page not found", "no such queue in this project."
    )


def test_it_refuses_a_role_that_is_too_low(reviewer_client: Client) -> None:
    assert_error_page(
        reviewer_client.get("/p/support/audit/"), 403, "You do not have access", "Ask an admin for the role."
    )


def test_it_refuses_an_expired_form(lead_client: Client, queue: Queue) -> None:
    lead_client.handler.enforce_csrf_checks = True
    response = lead_client.post("/p/support/queues/answers/add/", {"ids": "x"})

    assert_error_page(response, 403, "The form has expired", "Go back: the form still has what you typed.")


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "a b", "127.0.0.1:80@evil.example", ""])
def test_it_refuses_another_host(reviewer_client: Client, host: str) -> None:
    response = reviewer_client.get("/p/support/", headers={"Host": host})

    assert_error_page(response, 400, "Bad request", "Nothing was changed.")


def test_it_refuses_too_many_fields(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post("/p/support/queues/answers/add/", {f"field{n}": "x" for n in range(2_001)})

    assert_error_page(response, 400, "Too many fields", "at most 2,000 fields and ticked boxes", "Nothing was changed.")


def test_it_refuses_a_form_over_the_size_limit(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post("/p/support/queues/answers/add/", {"ids": "x" * 2_200_000})

    assert_error_page(response, 413, "This is too large", "Go back and send less.")


def test_it_refuses_a_get_of_a_form_url(lead_client: Client, queue: Queue) -> None:
    """Where a user lands who signs in again after submitting a form."""
    response = lead_client.get("/p/support/queues/answers/add/")

    assert_error_page(response, 405, "Nothing to show", "This URL only accepts a submitted form.")
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("table", ["reviewapp_queue", "reviewapp_user", "reviewapp_session"])
def test_it_explains_a_server_error(reviewer_client: Client, table: str) -> None:
    """A table is missing; the error page must not query the database itself."""
    reviewer_client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
    response = reviewer_client.get("/p/support/queues/")

    assert_error_page(
        response, 503, "The database is not up to date", "Migrations are missing.", "Everything saved before is safe"
    )
    assert "disk" not in response.text


def test_it_sends_htmx_a_server_error_for_the_message_area(reviewer_client: Client) -> None:
    reviewer_client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reviewapp_queue RENAME TO gone")
    response = reviewer_client.get("/p/support/queues/", headers={"HX-Request": "true"})
    assert response.status_code == 503
    assert response["HX-Retarget"] == "#messages"


@pytest.mark.parametrize("table", ["reviewapp_queue", "reviewapp_session"])
def test_it_keeps_what_was_typed(lead_client: Client, queue: Queue, table: str) -> None:
    lead_client.raise_request_exception = False
    fields = {"ids": "one\n<two>\n", "csrfmiddlewaretoken": "c" * 32, "other": "short"}
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
    response = lead_client.post("/p/support/queues/answers/add/?from=a&to=b", fields)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert 'action="/p/support/queues/answers/add/?from=a&amp;to=b"' in response.text
    assert "one\n&lt;two&gt;\n</textarea>" in response.text
    assert 'name="other" value="short"' in response.text
    assert f'name="csrfmiddlewaretoken" value="{"c" * 32}"' in response.text


@pytest.mark.parametrize(("path", "field"), [("/accounts/login/", "password"), ("/p/support/keys/laminar/", "key")])
def test_it_repeats_no_secret(admin_client: Client, path: str, field: str) -> None:
    admin_client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reviewapp_session RENAME TO gone")
    response = admin_client.post(path, {field: "canary" * 10, "name": "kept here"})
    assert response.status_code == 503
    assert "kept here" in response.text
    assert "canary" not in response.text


def test_it_shows_the_signed_in_user_on_an_error_page(reviewer_client: Client) -> None:
    assert "<b>reviewer</b>" in reviewer_client.get("/p/nowhere/").content.decode()


def test_it_escapes_the_url(reviewer_client: Client) -> None:
    assert b"<script>alert" not in reviewer_client.get("/p/support/<script>alert(1)</script>/").content


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "status"), [
    ("get", "/api/v1/nowhere", 404), ("post", "/api/v1/queues/answers/items/", 404),
    ("put", "/api/v1/queues/answers/items", 405),
])  # fmt: skip
def test_it_answers_the_api_with_json(client: Client, method: str, path: str, status: int) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == status
    assert response.json()["error"].endswith(".")
