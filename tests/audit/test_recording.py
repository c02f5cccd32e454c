"""Writing acts down: in order, one chain a project, in the act's own transaction."""

import json
from datetime import UTC, datetime

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent, AuditHead
from reviewapp.audit.recording import find_first_broken, record
from tests.factories import ProjectFactory
from tests.threads import run_concurrently


def events(project: Project) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(project=project).order_by("seq"))


def test_it_says_who_did_what(project: Project, lead: User) -> None:
    before = datetime.now(UTC)
    record(project, lead, "made queue", "queue:answers", items=3)
    (event,) = events(project)

    assert (event.actor, event.actor_name, event.verb, event.target) == (lead, "lead", "made queue", "queue:answers")
    assert json.loads(event.detail) == {"items": 3}
    assert before <= event.at <= datetime.now(UTC)


def test_it_says_what_acted_for_nobody(project: Project) -> None:
    record(project, "token:ci", "added items", "queue:answers")
    (event,) = events(project)

    assert (event.actor, event.actor_name) == (None, "token:ci")


def test_it_keeps_the_name_of_who_is_gone(project: Project, lead: User) -> None:
    record(project, lead, "made queue", "queue:answers")
    lead.delete()
    (event,) = events(project)

    assert (event.actor, event.actor_name) == (None, "lead")
    assert find_first_broken(project) is None


def test_it_chains_each_event_to_the_one_before(project: Project) -> None:
    for number in range(3):
        record(project, "command", "counted", f"number:{number}")
    first, second, third = events(project)
    head = AuditHead.objects.get(project=project)

    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert (second.digest, third.digest) == (second.compute_digest(first.digest), third.compute_digest(second.digest))
    assert (head.seq, head.digest) == (3, third.digest)


def test_it_keeps_a_chain_for_each_project(project: Project, other_project: Project) -> None:
    record(project, "command", "counted", "here")
    record(other_project, "command", "counted", "there")

    assert [event.seq for event in (*events(project), *events(other_project))] == [1, 1]
    assert (find_first_broken(project), find_first_broken(other_project)) == (None, None)


def test_it_forgets_an_act_that_was_undone(project: Project) -> None:
    record(project, "command", "counted", "1")
    with transaction.atomic():
        record(project, "command", "counted", "2")
        transaction.set_rollback(True)
    record(project, "command", "counted", "3")

    assert [event.target for event in events(project)] == ["1", "3"]
    assert find_first_broken(project) is None


def test_it_holds_for_a_project_without_acts(project: Project) -> None:
    assert find_first_broken(project) is None


@pytest.mark.django_db(transaction=True)
def test_it_holds_when_several_record_at_once() -> None:
    """The very first event too, when there is no head yet to wait for."""
    here, there = ProjectFactory.create_batch(2)

    def work() -> None:
        for number in range(8):
            record(here, "command", "counted", f"number:{number}")
            record(there, "command", "counted", f"number:{number}")

    run_concurrently([work] * 4)

    assert [event.seq for event in events(here)] == list(range(1, 33))
    assert (find_first_broken(here), find_first_broken(there)) == (None, None)


@pytest.mark.django_db(transaction=True)
def test_it_holds_while_acts_go_on() -> None:
    """Who verifies a busy project sees its events and its head at one and the same moment."""
    project = ProjectFactory.create()
    found: list[int | None] = []

    def act() -> None:
        for number in range(60):
            record(project, "command", "counted", f"number:{number}")

    def verify() -> None:
        while AuditHead.objects.filter(project=project, seq__lt=60).exists() or not found:
            found.append(find_first_broken(project))

    record(project, "command", "began", "it")
    run_concurrently([act, verify, verify])

    assert set(found) == {None}
