"""What a sign-in leaves behind: the audit log of each project, and the person's history."""

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.accounts.sign_in_history import get_history
from reviewapp.accounts.sign_in_models import Session, SignIn
from reviewapp.audit.models import AuditEvent
from reviewapp.lib.user_agent import describe_browser
from tests.factories import PASSWORD, MembershipFactory

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def post_sign_in(client: Client, username: str, password: str = PASSWORD, address: str = "192.0.2.1") -> None:
    fields = {"username": username, "password": password}
    client.post("/accounts/login/", fields, REMOTE_ADDR=address, headers={"User-Agent": FIREFOX})


def list_events() -> list[tuple[str, str, str, str]]:
    events = AuditEvent.objects.order_by("project__slug", "seq")
    return [(event.project.slug, event.actor_name, event.verb, event.target) for event in events]


def test_it_records_a_sign_in_and_a_sign_out(client: Client, reviewer: User) -> None:
    post_sign_in(client, "reviewer")
    client.post("/accounts/logout/")

    assert list_events() == [
        ("support", "reviewer", "signed in", "person:reviewer"),
        ("support", "reviewer", "signed out", "person:reviewer"),
    ]
    assert [row.outcome for row in get_history(reviewer)] == ["signed out", "signed in"]


def test_it_records_in_every_project_of_the_person(client: Client, reviewer: User, other_project: Project) -> None:
    MembershipFactory.create(project=other_project, user=reviewer)
    post_sign_in(client, "reviewer")

    assert [project for project, *_ in list_events()] == ["elsewhere", "support"]


def test_it_records_where_and_with_what(client: Client, reviewer: User) -> None:
    post_sign_in(client, "reviewer")

    assert AuditEvent.objects.get().detail == '{"address":"192.0.2.1","device":"Firefox on Linux"}'
    session = Session.objects.get()
    assert (session.address, session.device) == ("192.0.2.1", "Firefox on Linux")


def test_it_records_failures_in_one_event_and_counts_them(client: Client, reviewer: User) -> None:
    for _ in range(4):
        post_sign_in(client, "reviewer", "wrong")

    assert list_events() == [("support", "sign-in page", "failed to sign in", "person:reviewer")]
    assert [(row.outcome, row.count) for row in get_history(reviewer)] == [("failed", 4)]


@pytest.mark.django_db
def test_it_adds_few_rows_for_a_flood_of_unknown_names(client: Client) -> None:
    for number in range(40):
        post_sign_in(client, f"name-{number}", "wrong", f"192.0.2.{number}")

    assert [(row.user, row.address, row.count) for row in SignIn.objects.all()] == [(None, "192.0.2.0/24", 40)]


def test_it_keeps_no_password_that_was_typed_as_a_name(client: Client, reviewer: User) -> None:
    post_sign_in(client, "canary-password", "canary-password")

    assert "canary" not in str([*SignIn.objects.values(), *AuditEvent.objects.values()])


def test_it_forgets_old_history(client: Client, reviewer: User) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        post_sign_in(client, "reviewer")
        clock.shift((settings.SIGN_IN_DAYS + 1) * 86_400)
        post_sign_in(Client(), "reviewer")

    assert SignIn.objects.count() == 1


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.5", "curl"),
        ("", "Unknown browser"),
        ("\u202e<b>" * 1_000, "Unknown browser"),
    ],
)
def test_it_names_a_browser(user_agent: str, name: str) -> None:
    assert describe_browser(user_agent) == name
