"""`manage.py add_person`."""

import pytest
from django.core.management.base import CommandError
from django.test import Client

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.audit.models import AuditEvent
from tests.commands.runner import run_command, run_command_json

GIVEN = ["ana", "--project=support", "--role=lead"]


def test_it_tells_a_new_persons_password_once(project: Project, client: Client) -> None:
    said = run_command("add_person", *GIVEN)
    password = said.rpartition(" ")[2]

    assert said == f"ana has the role lead in support. Password: {password}"
    assert client.post("/accounts/login/", {"username": "ana", "password": password}).status_code == 302


def test_it_tells_in_json(project: Project) -> None:
    said = run_command_json("add_person", *GIVEN)

    assert (said["username"], said["role"], len(said["password"])) == ("ana", "lead", 20)


def test_it_leaves_a_known_persons_password(project: Project, reviewer: User) -> None:
    said = run_command("add_person", "reviewer", "--project=support", "--role=admin")

    assert said == "reviewer has the role admin in support now, and the password as before."
    assert Membership.objects.get(user=reviewer).role == "admin"
    assert run_command_json("add_person", "reviewer", "--project=support", "--role=admin")["password"] is None


def test_it_records_the_act_without_the_password(project: Project) -> None:
    password = run_command_json("add_person", *GIVEN)["password"]
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.target) == ("command", "added person", "person:ana")
    assert password not in event.detail


@pytest.mark.parametrize("username", ["two words", "", "x" * 81, "a/b"])
def test_it_refuses_a_name(project: Project, username: str) -> None:
    with pytest.raises(CommandError, match=r"Username: .*\. Nothing was changed\."):
        run_command("add_person", username, *GIVEN[1:])

    assert not User.objects.exists()
    assert not AuditEvent.objects.exists()


def test_it_refuses_an_unknown_project(project: Project) -> None:
    with pytest.raises(CommandError, match="There is no project “nowhere”"):
        run_command("add_person", "ana", "--project=nowhere", "--role=lead")

    assert not User.objects.exists()


def test_it_refuses_an_unknown_role(project: Project) -> None:
    with pytest.raises(CommandError, match="invalid choice: 'owner'"):
        run_command("add_person", "ana", "--project=support", "--role=owner")
