"""Events of a version without seals are sealed once, by a command."""

import pytest
from django.core.management.base import CommandError
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.audit.recording import record
from reviewapp.audit.verification import find_first_broken
from tests.commands.runner import run_command


@pytest.fixture
def old_log(project: Project, lead: User) -> Project:
    """Three events as a version without seals left them."""
    for number in range(3):
        record(project, lead, "counted", f"number:{number}")
    AuditEvent.objects.update(seal="", sealed_actor=None)
    return project


def test_it_seals_old_events(old_log: Project) -> None:
    assert find_first_broken(old_log) == 1
    assert run_command("seal_audit") == "support: 3 events sealed"

    assert find_first_broken(old_log) is None
    event = AuditEvent.objects.latest("seq")
    assert (event.verb, event.detail) == ("sealed earlier events", '{"count":3,"first":1}')


def test_it_covers_the_actor_of_an_old_event(old_log: Project, admin: User) -> None:
    run_command("seal_audit")
    AuditEvent.objects.filter(seq=2).update(actor=admin)

    assert find_first_broken(old_log) == 2


def test_it_seals_nothing_again(old_log: Project) -> None:
    run_command("seal_audit")

    assert run_command("seal_audit", "--project", "support") == "support: 0 events sealed"
    assert AuditEvent.objects.count() == 4


def test_it_refuses_to_seal_a_changed_event(old_log: Project) -> None:
    AuditEvent.objects.filter(seq=2).update(verb="did nothing")

    with pytest.raises(CommandError, match="support: Event 2 or one before it"):
        run_command("seal_audit")
    assert AuditEvent.objects.exclude(seal="").count() == 1


def test_it_explains_events_without_seals(old_log: Project, admin_client: Client) -> None:
    assert "3 events are not sealed, event 1 first" in admin_client.get("/p/support/audit/?verify").text
    with pytest.raises(CommandError):
        run_command("verify_audit")
