"""Taking people into a project."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.accounts.people import add_person, new_password

pytestmark = pytest.mark.django_db


def test_it_makes_somebody_new(project: Project, client: Client) -> None:
    user, password = add_person("ana", project, "lead")

    assert Membership.objects.get(user=user).role == "lead"
    assert client.post("/accounts/login/", {"username": "ana", "password": password}).status_code == 302


def test_it_leaves_a_known_password(project: Project, outsider: User) -> None:
    before = outsider.password
    user, password = add_person("outsider", project, "reviewer")
    user.refresh_from_db()

    assert (user, password, user.password) == (outsider, "", before)
    assert user.memberships.count() == 2


def test_it_changes_a_role(project: Project, reviewer: User) -> None:
    add_person("reviewer", project, "admin")

    assert [membership.role for membership in Membership.objects.filter(user=reviewer)] == ["admin"]


def test_it_keeps_one_spelling_of_a_name(project: Project, client: Client) -> None:
    """The sign-in page reads what is typed in Unicode's composed form, so that is how a name is kept."""
    _, password = add_person("rene\u0301e", project, "reviewer")

    assert client.post("/accounts/login/", {"username": "ren\u00e9e", "password": password}).status_code == 302


@pytest.mark.parametrize(
    "username", ["", "two words", "a/b", "x" * 81, "new\nline", "ana\n", "a\x00b", "<b>", "\u202eana"]
)
def test_it_refuses_a_name_that_cannot_be(project: Project, username: str) -> None:
    with pytest.raises(ValidationError):
        add_person(username, project, "reviewer")

    assert not User.objects.exists()


@pytest.mark.parametrize("role", ["", "owner", "ADMIN"])
def test_it_refuses_a_role_that_is_none(project: Project, role: str) -> None:
    with pytest.raises(ValidationError):
        add_person("ana", project, role)

    assert not User.objects.exists()


def test_it_makes_passwords_nobody_can_guess() -> None:
    made = {new_password() for _ in range(100)}

    assert len(made) == 100
    assert {len(password) for password in made} == {20}
