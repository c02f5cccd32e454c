"""The audit log page."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.audit.recording import record
from reviewapp.audit.views import PAGE_SIZE
from tests.queries import count_queries

URL = "/p/support/audit/"


def get_page(client: Client, **query: str | int) -> str:
    response = client.get(URL, query)
    assert response.status_code == 200
    return response.content.decode()


def test_it_shows_the_newest_first(project: Project, admin_client: Client) -> None:
    record(project, "command", "did first", "one")
    record(project, "command", "did second", "two")
    content = get_page(admin_client)

    assert 0 < content.index("did second") < content.index("did first")


def test_it_hides_events_of_other_projects(other_project: Project, admin_client: Client) -> None:
    record(other_project, "command", "did in secret", "there")

    assert "did in secret" not in get_page(admin_client)


def test_it_escapes_text(project: Project, admin_client: Client) -> None:
    record(project, "<script>alert(1)</script>", "<b>", "<i>", note="<img src=x>")
    content = get_page(admin_client)

    for markup in ("<script>alert", "<b>&lt;", "<i>", "<img"):
        assert markup not in content


def test_it_pages_to_older_events(project: Project, admin_client: Client) -> None:
    for number in range(PAGE_SIZE + 1):
        record(project, "command", "counted", f"number-{number}-")
    content = get_page(admin_client)

    assert 'href="?before=2"' in content
    assert "number-0-" not in content
    assert "number-0-" in get_page(admin_client, before=2)


def test_it_verifies_an_intact_log(project: Project, admin_client: Client) -> None:
    record(project, "command", "counted", "one")

    assert "The log is intact" not in get_page(admin_client)
    assert "The log is intact" in get_page(admin_client, verify="")


def test_it_shows_where_the_log_was_tampered_with(project: Project, admin_client: Client) -> None:
    record(project, "command", "counted", "one")
    AuditEvent.objects.update(verb="did nothing")

    assert "tampered with: event 1 " in get_page(admin_client, verify="")


@pytest.mark.parametrize("before", ["", "x", "-1", "0", "9" * 30, "1.5", "\u0663", "2\x00"])
def test_it_accepts_any_page_parameter(admin_client: Client, before: str) -> None:
    get_page(admin_client, before=before)


def test_it_runs_the_same_number_of_queries_for_many_events(project: Project, admin_client: Client) -> None:
    record(project, "command", "counted", "one")
    query_count = count_queries(lambda: get_page(admin_client))
    for number in range(20):
        record(project, "command", "counted", str(number))

    assert count_queries(lambda: get_page(admin_client)) == query_count
