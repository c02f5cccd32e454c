"""What went wrong is told in sentences, and tells nothing else."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from reviewapp.queues.models import Queue


def says(response: Any, status: int, title: str, *sentences: str) -> None:
    shown = response.content.decode()
    assert response.status_code == status
    assert f"<h1>{title}</h1>" in shown
    for sentence in sentences:
        assert sentence in shown
    for inner in ("Traceback", "django.", "/site-packages/", "SELECT", "DEBUG", "docs_url"):
        assert inner not in shown


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/nothing", "/p/", "/accounts/", "/p/a/b/c/d/", "/p/UPPER CASE/", "/static/no"])
def test_it_knows_no_such_address(client: Client, path: str) -> None:
    says(client.get(path), 404, "There is nothing here", "The address is wrong, or what stood here is gone.")


def test_it_knows_no_such_project(reviewer_client: Client) -> None:
    says(reviewer_client.get("/p/nowhere/"), 404, "There is nothing here", "There is no such project among yours.")


def test_it_knows_no_such_queue(reviewer_client: Client) -> None:
    says(reviewer_client.get("/p/support/queues/no/"), 404, "There is nothing here", "no such queue in this project.")


def test_it_refuses_a_role(reviewer_client: Client) -> None:
    says(reviewer_client.get("/p/support/audit/"), 403, "This is not yours to open", "Ask an admin for the role.")


def test_it_refuses_an_expired_form(lead_client: Client, queue: Queue) -> None:
    lead_client.handler.enforce_csrf_checks = True
    response = lead_client.post("/p/support/queues/answers/add/", {"ids": "x"})

    says(response, 403, "The form has expired", "Go back: what you typed stands in the form still.")


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "a b", "127.0.0.1:80@evil.example", ""])
def test_it_refuses_another_host(reviewer_client: Client, host: str) -> None:
    response = reviewer_client.get("/p/support/", headers={"Host": host})

    says(response, 400, "This request cannot be read", "Nothing was changed.")


def test_it_refuses_too_many_fields(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post("/p/support/queues/answers/add/", {f"field{n}": "x" for n in range(201)})

    says(response, 400, "This request cannot be read")


def test_it_refuses_too_large_a_form(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post("/p/support/queues/answers/add/", {"ids": "x" * 2_200_000})

    says(response, 413, "This is too large", "go back and send less")


def test_it_refuses_a_visit_to_a_form(lead_client: Client, queue: Queue) -> None:
    """Where one lands whose session ended over a form."""
    response = lead_client.get("/p/support/queues/answers/add/")

    says(response, 405, "There is nothing to see here", "This address only takes a form.")
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("table", ["reviewapp_queue", "reviewapp_user", "django_session"])
def test_it_says_that_it_broke(reviewer_client: Client, table: str) -> None:
    """A table is gone; the page that says so must not look into the database itself."""
    reviewer_client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
    response = reviewer_client.get("/p/support/queues/")

    # PostgreSQL tells a mistake of ours from a database that cannot work; SQLite has one error for both.
    if connection.vendor == "postgresql":
        says(response, 500, "Something broke", "What was saved before is safe")
    else:
        says(response, 507, "The database does not answer as it should", "What was saved before is safe")


def test_it_tells_htmx_beside_the_form_that_it_broke(reviewer_client: Client) -> None:
    reviewer_client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reviewapp_queue RENAME TO gone")
    response = reviewer_client.get("/p/support/queues/", headers={"HX-Request": "true"})
    assert response.status_code in (500, 507)
    assert response["HX-Retarget"] == "#messages"


def test_it_names_who_is_signed_in_on_a_page_of_fault(reviewer_client: Client) -> None:
    assert "<b>reviewer</b>" in reviewer_client.get("/p/nowhere/").content.decode()


def test_it_shows_an_address_as_text(reviewer_client: Client) -> None:
    assert b"<script>alert" not in reviewer_client.get("/p/support/<script>alert(1)</script>/").content


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "status"), [
    ("get", "/api/v1/nowhere", 404), ("post", "/api/v1/queues/answers/items/", 404),
    ("put", "/api/v1/queues/answers/items", 405),
])  # fmt: skip
def test_it_answers_a_machine_in_its_own_tongue(client: Client, method: str, path: str, status: int) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == status
    assert response.json()["error"].endswith(".")
