"""Add people to a project."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.accounts.people import add_person, new_password

pytestmark = pytest.mark.django_db


def test_it_creates_a_new_user(project: Project, client: Client) -> None:
    user, password = add_person("ana", project, "lead")

    assert Membership.objects.get(user=user).role == "lead"
    assert client.post("/accounts/login/", {"username": "ana", "password": password}).status_code == 302


def test_it_keeps_the_password_of_an_existing_user(project: Project, outsider: User) -> None:
    old_password = outsider.password
    user, password = add_person("outsider", project, "reviewer")
    user.refresh_from_db()

    assert (user, password, user.password) == (outsider, "", old_password)
    assert user.memberships.count() == 2


def test_it_changes_a_role(project: Project, reviewer: User) -> None:
    add_person("reviewer", project, "admin")

    assert [membership.role for membership in Membership.objects.filter(user=reviewer)] == ["admin"]


def test_it_normalizes_a_username(project: Project, client: Client) -> None:
    """The sign-in form reads names in Unicode's composed form, so they are stored in it."""
    _, password = add_person("rene\u0301e", project, "reviewer")

    assert client.post("/accounts/login/", {"username": "ren\u00e9e", "password": password}).status_code == 302


@pytest.mark.parametrize(
    "username", ["", "two words", "a/b", "x" * 81, "new\nline", "ana\n", "a\x00b", "<b>", "\u202eana"]
)
def test_it_refuses_an_invalid_username(project: Project, username: str) -> None:
    with pytest.raises(ValidationError):
        add_person(username, project, "reviewer")

    assert not User.objects.exists()


@pytest.mark.parametrize("role", ["", "owner", "ADMIN"])
def test_it_refuses_an_unknown_role(project: Project, role: str) -> None:
    with pytest.raises(ValidationError):
        add_person("ana", project, role)

    assert not User.objects.exists()


def test_it_generates_unique_long_passwords() -> None:
    passwords = {new_password() for _ in range(100)}

    assert len(passwords) == 100
    assert {len(password) for password in passwords} == {20}
