"""The admin's page of all acts."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.audit.recording import record
from reviewapp.audit.views import PAGE_SIZE
from tests.queries import count_queries

URL = "/p/support/audit/"


def page(client: Client, **query: str | int) -> str:
    response = client.get(URL, query)
    assert response.status_code == 200
    return response.content.decode()


def test_it_shows_the_newest_first(project: Project, admin_client: Client) -> None:
    record(project, "command", "did first", "one")
    record(project, "command", "did second", "two")
    shown = page(admin_client)

    assert 0 < shown.index("did second") < shown.index("did first")


def test_it_shows_no_other_projects_acts(other_project: Project, admin_client: Client) -> None:
    record(other_project, "command", "did in secret", "there")

    assert "did in secret" not in page(admin_client)


def test_it_shows_foreign_text_as_text(project: Project, admin_client: Client) -> None:
    record(project, "<script>alert(1)</script>", "<b>", "<i>", note="<img src=x>")
    shown = page(admin_client)

    for mark in ("<script>alert", "<b>&lt;", "<i>", "<img"):
        assert mark not in shown


def test_it_goes_on_to_older_acts(project: Project, admin_client: Client) -> None:
    for number in range(PAGE_SIZE + 1):
        record(project, "command", "counted", f"number-{number}-")
    shown = page(admin_client)

    assert 'href="?before=2"' in shown
    assert "number-0-" not in shown
    assert "number-0-" in page(admin_client, before=2)


def test_it_says_that_the_chain_holds(project: Project, admin_client: Client) -> None:
    record(project, "command", "counted", "one")

    assert "The chain holds" not in page(admin_client)
    assert "The chain holds" in page(admin_client, verify="")


def test_it_says_where_the_chain_is_broken(project: Project, admin_client: Client) -> None:
    record(project, "command", "counted", "one")
    AuditEvent.objects.update(verb="did nothing")

    assert "The chain is broken at event 1" in page(admin_client, verify="")


@pytest.mark.parametrize("before", ["", "x", "-1", "0", "9" * 30, "1.5", "\u0663", "2\x00"])
def test_it_takes_any_place_to_begin(admin_client: Client, before: str) -> None:
    page(admin_client, before=before)


def test_it_asks_the_database_as_often_for_many(project: Project, admin_client: Client) -> None:
    record(project, "command", "counted", "one")
    few = count_queries(lambda: page(admin_client))
    for number in range(20):
        record(project, "command", "counted", str(number))

    assert count_queries(lambda: page(admin_client)) == few
