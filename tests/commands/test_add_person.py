"""`manage.py add_person`."""

from pathlib import Path

import pytest
from django.core.management.base import CommandError
from django.test import Client

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.management.command_actor import get_command_actor
from tests.commands.runner import run_command, run_command_json

ARGUMENTS = ["ana", "--project=support", "--role=lead"]


def test_it_prints_a_new_persons_password(project: Project, client: Client) -> None:
    output = run_command("add_person", *ARGUMENTS)
    password = output.rpartition(" ")[2]

    assert output == f"ana has the role lead in support. Password: {password}"
    assert client.post("/accounts/login/", {"username": "ana", "password": password}).status_code == 302


def test_it_prints_json(project: Project) -> None:
    result = run_command_json("add_person", *ARGUMENTS)

    assert (result["username"], result["role"], len(result["password"])) == ("ana", "lead", 20)


def test_it_keeps_a_known_persons_password(project: Project, reviewer: User) -> None:
    output = run_command("add_person", "reviewer", "--project=support", "--role=admin")

    assert output == "reviewer has the role admin in support. The password was not changed."
    assert Membership.objects.get(user=reviewer).role == "admin"
    assert run_command_json("add_person", "reviewer", "--project=support", "--role=admin")["password"] is None


def test_it_records_the_event_without_the_password(project: Project) -> None:
    password = run_command_json("add_person", *ARGUMENTS)["password"]
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.target) == (get_command_actor(), "added person", "person:ana")
    assert password not in event.detail


@pytest.mark.parametrize("username", ["two words", "", "x" * 81, "a/b"])
def test_it_refuses_an_invalid_username(project: Project, username: str) -> None:
    with pytest.raises(CommandError, match=r"Username: .*\. Nothing was changed\."):
        run_command("add_person", username, *ARGUMENTS[1:])

    assert not User.objects.exists()
    assert not AuditEvent.objects.exists()


def test_it_refuses_an_unknown_project(project: Project) -> None:
    with pytest.raises(CommandError, match="There is no project “nowhere”"):
        run_command("add_person", "ana", "--project=nowhere", "--role=lead")

    assert not User.objects.exists()


def test_it_refuses_an_unknown_role(project: Project) -> None:
    with pytest.raises(CommandError, match="invalid choice: 'owner'"):
        run_command("add_person", "ana", "--project=support", "--role=owner")


def test_it_prints_a_link_in_place_of_a_password(project: Project, client: Client) -> None:
    result = run_command_json("add_person", "ana", "--project", "support", "--role", "lead", "--link")
    new = "seven quiet lamps at noon"

    assert result["password"] is None
    client.post(result["link"], {"password": new, "again": new})
    assert client.post("/accounts/login/", {"username": "ana", "password": new}).status_code == 302


def test_it_keeps_the_last_admin(project: Project, admin: User) -> None:
    with pytest.raises(CommandError, match="This is the project's only admin"):
        run_command("add_person", "admin", "--project", "support", "--role", "lead")

    assert admin.memberships.get().role == "admin"


def test_it_records_a_changed_role_with_before_and_after(project: Project, reviewer: User) -> None:
    run_command("add_person", "reviewer", "--project", "support", "--role", "lead")

    event = AuditEvent.objects.get()
    assert (event.verb, event.detail) == ("changed role", '{"after":"lead","before":"reviewer"}')


def test_it_reactivates_a_person(project: Project, reviewer: User) -> None:
    reviewer.memberships.update(is_active=False)
    User.objects.update(is_active=False)
    run_command("add_person", "reviewer", "--project", "support", "--role", "reviewer")

    reviewer.refresh_from_db()
    assert (reviewer.is_active, reviewer.memberships.get().is_active) == (True, True)


def test_it_writes_the_password_to_a_file(project: Project, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "password"
    output = run_command("add_person", *ARGUMENTS, f"--password-file={file}")
    password = file.read_text().strip()

    assert output == f"ana has the role lead in support. The password is in {file}."
    assert file.stat().st_mode & 0o777 == 0o600
    assert client.post("/accounts/login/", {"username": "ana", "password": password}).status_code == 302


def test_it_adds_nobody_whose_password_cannot_be_written(project: Project, tmp_path: Path) -> None:
    (tmp_path / "password").touch()
    with pytest.raises(CommandError, match=r"File exists\. .* Nothing was changed\."):
        run_command("add_person", *ARGUMENTS, f"--password-file={tmp_path / 'password'}")

    assert not User.objects.exists()


def test_it_adds_an_admin(project: Project) -> None:
    assert run_command("createadmin", "ana", "--project=support").startswith("ana has the role admin in support.")
