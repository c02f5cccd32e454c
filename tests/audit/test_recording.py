"""Recording events: in order, one chain per project, in the transaction of the action."""

import json
from datetime import UTC, datetime

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent, AuditHead
from reviewapp.audit.recording import record
from reviewapp.audit.verification import find_first_broken
from tests.factories import ProjectFactory
from tests.threads import run_concurrently


def list_events(project: Project) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(project=project).order_by("seq"))


def test_it_records_who_did_what(project: Project, lead: User) -> None:
    started_at = datetime.now(UTC)
    record(project, lead, "made queue", "queue:answers", items=3)
    (event,) = list_events(project)

    assert (event.actor, event.actor_name, event.verb, event.target) == (lead, "lead", "made queue", "queue:answers")
    assert json.loads(event.detail) == {"items": 3}
    assert started_at <= event.at <= datetime.now(UTC)


def test_it_records_a_program_as_actor(project: Project) -> None:
    record(project, "token:ci", "added items", "queue:answers")
    (event,) = list_events(project)

    assert (event.actor, event.actor_name) == (None, "token:ci")


def test_it_keeps_the_name_of_a_deleted_user(project: Project, lead: User) -> None:
    record(project, lead, "made queue", "queue:answers")
    lead.delete()
    (event,) = list_events(project)

    assert (event.actor, event.actor_name) == (None, "lead")
    assert find_first_broken(project) is None


def test_it_chains_each_event_to_the_one_before(project: Project) -> None:
    for number in range(3):
        record(project, "command", "counted", f"number:{number}")
    first, second, third = list_events(project)
    head = AuditHead.objects.get(project=project)

    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert (second.digest, third.digest) == (second.compute_digest(first.digest), third.compute_digest(second.digest))
    assert (head.seq, head.digest) == (3, third.digest)


def test_it_keeps_a_chain_for_each_project(project: Project, other_project: Project) -> None:
    record(project, "command", "counted", "here")
    record(other_project, "command", "counted", "there")

    assert [event.seq for event in (*list_events(project), *list_events(other_project))] == [1, 1]
    assert (find_first_broken(project), find_first_broken(other_project)) == (None, None)


def test_it_drops_the_event_of_a_rolled_back_transaction(project: Project) -> None:
    record(project, "command", "counted", "1")
    with transaction.atomic():
        record(project, "command", "counted", "2")
        transaction.set_rollback(True)
    record(project, "command", "counted", "3")

    assert [event.target for event in list_events(project)] == ["1", "3"]
    assert find_first_broken(project) is None


def test_it_is_intact_without_events(project: Project) -> None:
    assert find_first_broken(project) is None


@pytest.mark.django_db(transaction=True)
def test_it_is_intact_after_concurrent_recording() -> None:
    """The very first event too, when there is no head yet to lock."""
    first, second = ProjectFactory.create_batch(2)

    def work() -> None:
        for number in range(8):
            record(first, "command", "counted", f"number:{number}")
            record(second, "command", "counted", f"number:{number}")

    run_concurrently([work] * 4)

    assert [event.seq for event in list_events(first)] == list(range(1, 33))
    assert (find_first_broken(first), find_first_broken(second)) == (None, None)


@pytest.mark.django_db(transaction=True)
def test_it_is_intact_during_concurrent_recording() -> None:
    """Verification reads events and head at the same point in time."""
    project = ProjectFactory.create()
    results: list[int | None] = []

    def record_events() -> None:
        for number in range(60):
            record(project, "command", "counted", f"number:{number}")

    def verify() -> None:
        while AuditHead.objects.filter(project=project, seq__lt=60).exists() or not results:
            results.append(find_first_broken(project))

    record(project, "command", "began", "it")
    run_concurrently([record_events, verify, verify])

    assert set(results) == {None}
