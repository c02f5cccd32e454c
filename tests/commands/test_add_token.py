"""`manage.py add_token`."""

import pytest
from django.core.management.base import CommandError

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.keys.models import AccessToken
from reviewapp.keys.tokens import find_valid_token
from reviewapp.management.command_actor import get_command_actor
from tests.commands.runner import run_command, run_command_json


def test_it_prints_a_valid_token(project: Project) -> None:
    output = run_command("add_token", "ci", "--project=support")
    token = find_valid_token(output.rpartition(" ")[2])

    assert output.startswith("Access token for support (shown only once): rvw_")
    assert token is not None
    assert (token.name, token.project, token.created_by) == ("ci", project, get_command_actor())


def test_it_prints_json(project: Project) -> None:
    result = run_command_json("add_token", " ci ", "--project=support")

    assert (result["name"], result["project"]) == ("ci", "support")
    assert find_valid_token(result["access_token"]) is not None


def test_it_records_the_event_without_the_token(project: Project) -> None:
    secret = run_command_json("add_token", "ci", "--project=support")["access_token"]
    event = AuditEvent.objects.get()

    assert (event.verb, event.target, event.detail) == (
        "created access token",
        "token:ci",
        '{"scopes":["read","queue","patch"]}',
    )
    assert secret[8:] not in str(list(AccessToken.objects.values()))


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "line\nbreak", "\u202egnp"])
def test_it_refuses_an_invalid_name(project: Project, name: str) -> None:
    with pytest.raises(CommandError, match="Give the token a name"):
        run_command("add_token", name, "--project=support")

    assert not AccessToken.objects.exists()


@pytest.mark.django_db
def test_it_refuses_an_unknown_project() -> None:
    with pytest.raises(CommandError, match="There is no project “nowhere”"):
        run_command("add_token", "ci", "--project=nowhere")
