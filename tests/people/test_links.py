"""Invites and reset links: one use, a time, and whom they let in."""

from functools import partial
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from pytest_django import Settings

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.audit.models import AuditEvent
from reviewapp.people import links
from reviewapp.people.models import AccountLink
from tests.cast import sign_in_client
from tests.factories import PASSWORD, MembershipFactory
from tests.threads import run_concurrently

NEW = "seven quiet lamps at noon"


@pytest.fixture
def invite(project: Project, admin: User) -> str:
    """The path of an invite for a lead."""
    return links.get_path(links.make_invite(project, "lead", 7, admin))


def sign_up(client: Client, path: str, **changes: str) -> Any:
    return client.post(path, {"username": "ana", "name": "Ana", "password": NEW, "again": NEW, **changes})


def test_it_creates_an_account(client: Client, project: Project, invite: str) -> None:
    page, response = client.get(invite), sign_up(client, invite)

    assert "admin invites you to join this project as lead." in page.text
    assert response["Location"] == "/p/support/"
    assert client.get("/p/support/").status_code == 200
    assert Membership.objects.get(user__username="ana").role == "lead"


def test_it_records_who_joined_by_whom(client: Client, invite: str) -> None:
    sign_up(client, invite)

    events = AuditEvent.objects.order_by("seq").values_list("verb", "actor_name", "detail")
    assert [verb for verb, *_ in events] == ["invited person", "joined", "signed in"]
    assert events[1][1:] == ("ana", '{"invited_by":"admin","role":"lead"}')


def test_it_lets_somebody_with_an_account_join(outsider: User, invite: str, project: Project) -> None:
    client = sign_in_client(outsider)

    assert "You are signed in as outsider." in client.get(invite).text
    assert client.post(invite)["Location"] == "/p/support/"
    assert Membership.objects.get(project=project, user=outsider).role == "lead"


def test_it_works_once(client: Client, invite: str) -> None:
    sign_up(client, invite)
    response = sign_up(Client(), invite, username="bo")

    assert response.status_code == 404
    assert "This link was used, revoked, or has expired." in response.text
    assert not User.objects.filter(username="bo").exists()


@pytest.mark.django_db(transaction=True)
def test_it_lets_one_of_two_in(project: Project) -> None:
    link = links.find_link(links.make_invite(project, "lead", 7, "admin"))
    assert link is not None
    refusals = []

    def join(name: str) -> None:
        try:
            links.sign_up(link, name, "", NEW)
        except links.LinkError as error:
            refusals.append(error)

    run_concurrently([partial(join, "ana"), partial(join, "bo")])

    assert len(refusals) == 1
    assert User.objects.count() == 1


def test_it_expires(client: Client, project: Project) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock:
        path = links.get_path(links.make_invite(project, "lead", 1, "admin"))
        clock.shift(86_401)
        assert client.get(path).status_code == 404


def test_it_can_be_revoked(client: Client, admin_client: Client, invite: str) -> None:
    admin_client.post(f"/p/support/people/links/{AccountLink.objects.get().pk}/revoke/")

    assert client.get(invite).status_code == 404


def test_it_stores_no_secret(project: Project) -> None:
    secret = links.make_invite(project, "lead", 7, "admin")

    assert secret not in str([*AccountLink.objects.values(), *AuditEvent.objects.values()])


@pytest.mark.parametrize("secret", ["x", "é", "%00", "x" * 5_000])
@pytest.mark.django_db
def test_it_refuses_an_unknown_link(client: Client, secret: str) -> None:
    assert client.get(f"/accounts/links/{secret}/").status_code == 404


BAD_FIELDS = [
    ({"password": "short", "again": "short"}, "This password is too short."),
    ({"password": "password1234", "again": "password1234"}, "This password is too common."),
    (
        {"username": "anabellewright", "password": "anabellewright", "again": "anabellewright"},
        "too similar to the username",
    ),
    ({"again": "another"}, "The two passwords differ."),
    ({"username": "Admin"}, "The name “admin” is taken."),
    ({"username": "two words"}, "Use letters, digits and"),
    ({"username": ""}, "This field is required."),
    ({"name": "a\u202eb"}, "cannot be seen"),
    ({"username": "a\x00b"}, "Null characters are not allowed."),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD_FIELDS)
def test_it_refuses_bad_fields_and_can_be_used_again(
    client: Client, invite: str, changes: dict[str, str], sentence: str
) -> None:
    response = sign_up(client, invite, **changes)

    assert response.status_code == 422
    assert sentence in response.text
    assert sign_up(client, invite).status_code == 302


@pytest.mark.parametrize("is_active", [True, False])
def test_it_changes_no_member(project: Project, reviewer: User, invite: str, is_active: bool) -> None:
    """An invite is no way around a role or a deactivation."""
    client = sign_in_client(reviewer)
    Membership.objects.filter(user=reviewer).update(is_active=is_active)

    assert client.post(invite).status_code == 409
    membership = Membership.objects.get(user=reviewer)
    assert (membership.role, membership.is_active) == ("reviewer", is_active)
    assert client.get(invite).status_code == 200


def test_it_sets_a_new_password(client: Client, project: Project, reviewer: User, admin: User) -> None:
    elsewhere = sign_in_client(reviewer)
    path = links.get_path(links.make_reset(Membership.objects.get(user=reviewer), admin))

    assert client.post(path, {"password": NEW, "again": NEW})["Location"] == "/accounts/login/"
    assert elsewhere.get("/p/support/").status_code == 302
    assert client.post(path, {"password": NEW, "again": NEW}).status_code == 404
    assert client.post("/accounts/login/", {"username": "reviewer", "password": PASSWORD}).status_code == 422
    assert client.post("/accounts/login/", {"username": "reviewer", "password": NEW}).status_code == 302


def test_it_ends_an_earlier_reset_link(client: Client, reviewer: User, admin: User) -> None:
    first, _ = (links.make_reset(Membership.objects.get(user=reviewer), admin) for _ in range(2))

    assert client.get(links.get_path(first)).status_code == 404


def test_it_refuses_a_reset_that_reaches_another_project(
    other_project: Project, reviewer: User, admin: User, admin_client: Client
) -> None:
    """An admin of one project must not take over what the person can see in another."""
    membership = Membership.objects.get(user=reviewer)
    MembershipFactory.create(project=other_project, user=reviewer)
    response = admin_client.post(f"/p/support/people/{membership.pk}/password-link/")

    assert response.status_code == 403
    assert "you are not an admin of everything this person can see" in response.text
    assert not AccountLink.objects.exists()
    MembershipFactory.create(project=other_project, user=admin, role=Role.ADMIN)
    assert admin_client.post(f"/p/support/people/{membership.pk}/password-link/").status_code == 200


def test_it_sends_an_invite_by_mail(admin_client: Client, settings: Settings) -> None:
    settings.EMAIL_IS_ON = True
    response = admin_client.post("/p/support/people/invite/", {"role": "lead", "days": "7", "email": "ana@example.com"})

    assert "It was sent to ana@example.com." in response.text
    assert mail.outbox[0].to == ["ana@example.com"]
    assert "http://testserver/accounts/links/" in mail.outbox[0].body


def test_it_shows_the_link_without_mail(admin_client: Client) -> None:
    response = admin_client.post("/p/support/people/invite/", {"role": "lead", "days": "7", "email": "ana@example.com"})

    assert "http://testserver/accounts/links/" in response.text
    assert "No e-mail was sent" in response.text
    assert mail.outbox == []


def test_it_shows_the_link_if_the_mail_server_fails(admin_client: Client, settings: Settings) -> None:
    settings.EMAIL_IS_ON, settings.EMAIL_BACKEND = True, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    response = admin_client.post("/p/support/people/invite/", {"role": "lead", "days": "7", "email": "ana@example.com"})

    assert "The e-mail could not be sent. Send the link yourself." in response.text
    assert "http://testserver/accounts/links/" in response.text
