"""`manage.py reset_password`."""

import re

import pytest
from django.core.management import CommandError
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.people.models import AccountLink
from tests.commands.runner import run_command
from tests.factories import UserFactory


def test_it_prints_a_link(reviewer: User, client: Client) -> None:
    output = run_command("reset_password", "Reviewer")
    path = re.findall(r"/accounts/links/\S+/", output)[0]

    assert "For reviewer." in client.get(path).text
    assert AuditEvent.objects.get().verb == "made password link"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["nobody", "without-project"])
def test_it_refuses_others(name: str) -> None:
    UserFactory.create(username="without-project")
    with pytest.raises(CommandError, match="Nothing was changed"):
        run_command("reset_password", name)

    assert not AccountLink.objects.exists()
