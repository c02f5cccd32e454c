"""Changes to recorded events in the database are detected."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from pytest_django import Settings

from reviewapp.accounts.models import Project
from reviewapp.audit.heads import find_problem, make_head
from reviewapp.audit.models import AuditEvent, AuditHead
from reviewapp.audit.recording import record
from reviewapp.audit.verification import find_first_broken
from tests.factories import ProjectFactory, UserFactory

LENGTH = 12
ROUNDS = 25


@pytest.fixture
def chain(project: Project) -> Project:
    actor = UserFactory.create()
    for number in range(LENGTH):
        record(project, actor if number % 2 else "command", "counted", f"number:{number}", number=number)
    return project


def get_event(project: Project, seq: int) -> AuditEvent:
    return AuditEvent.objects.get(project=project, seq=seq)


def update_event(event: AuditEvent, **changes: object) -> None:
    assert AuditEvent.objects.filter(pk=event.pk).update(**changes)


EDITS: dict[str, Callable[[AuditEvent], object]] = {
    "seq": lambda event: event.seq + 1_000,
    "at": lambda event: event.at + timedelta(microseconds=1),
    "actor_name": lambda event: "somebody else",
    "verb": lambda event: event.verb + " ",
    "target": lambda event: event.target.upper(),
    "detail": lambda event: event.detail.replace(":", ": "),
    "digest": lambda event: event.digest[::-1],
    "seal": lambda event: event.seal[::-1],
    "sealed_actor": lambda event: 1_000_000,
    "actor": lambda event: UserFactory.create(),
    "project": lambda event: ProjectFactory.create(),
}


@pytest.mark.parametrize("field", EDITS)
@pytest.mark.parametrize("seq", [1, LENGTH // 2, LENGTH])
def test_it_finds_an_edit(chain: Project, field: str, seq: int) -> None:
    event = get_event(chain, seq)
    update_event(event, **{field: EDITS[field](event)})

    assert find_first_broken(chain) == seq


def test_it_finds_an_edit_with_a_new_digest(chain: Project) -> None:
    event = get_event(chain, 4)
    event.verb = "did nothing"
    update_event(event, verb=event.verb, digest=event.compute_digest(get_event(chain, 3).digest))

    assert find_first_broken(chain) == 4


@pytest.mark.parametrize("seq", range(1, LENGTH + 1))
def test_it_finds_a_deletion(chain: Project, seq: int) -> None:
    get_event(chain, seq).delete()

    assert find_first_broken(chain) == seq


def test_it_finds_a_deletion_that_closes_the_gap(chain: Project) -> None:
    get_event(chain, 4).delete()
    for event in AuditEvent.objects.filter(project=chain, seq__gt=4).order_by("seq"):
        update_event(event, seq=F("seq") - 1)

    assert find_first_broken(chain) == 4


@pytest.mark.parametrize("remaining", range(LENGTH))
def test_it_finds_a_truncation(chain: Project, remaining: int) -> None:
    AuditEvent.objects.filter(project=chain, seq__gt=remaining).delete()

    assert find_first_broken(chain) == remaining + 1


def test_it_finds_a_truncation_with_a_deleted_head(chain: Project) -> None:
    AuditEvent.objects.filter(project=chain, seq__gt=5).delete()
    AuditHead.objects.filter(project=chain).delete()

    assert find_first_broken(chain) == 6


def test_it_finds_a_swap(chain: Project) -> None:
    first, second = get_event(chain, 3), get_event(chain, 9)
    update_event(first, seq=10_000)
    update_event(second, seq=3)
    update_event(first, seq=9)

    assert find_first_broken(chain) == 3


def test_it_finds_an_insertion(chain: Project) -> None:
    last = get_event(chain, LENGTH)
    forged = AuditEvent(
        project=chain, seq=LENGTH + 1, at=last.at, actor_name="admin", verb="allowed", target="all", detail="{}"
    )
    forged.digest = forged.compute_digest(last.digest)
    forged.save(force_insert=True)

    assert find_first_broken(chain) == LENGTH + 1


def test_it_finds_an_event_moved_to_another_project(chain: Project, other_project: Project) -> None:
    update_event(get_event(chain, 1), project=other_project)

    assert (find_first_broken(chain), find_first_broken(other_project)) == (1, 1)


def test_it_finds_text_with_a_nul(chain: Project) -> None:
    """SQLite stores a NUL, which no recorded event has: it must be found, not break the verification."""
    update_event(get_event(chain, 3), target="number:\x00" if connection.vendor == "sqlite" else "number:\x01")

    assert find_first_broken(chain) == 3


def test_it_finds_any_mix_of_tampering(chain: Project) -> None:
    rng = random.Random(7)
    events = list(AuditEvent.objects.filter(project=chain).order_by("seq"))
    for _ in range(ROUNDS):
        tampered = rng.sample(events, rng.randint(1, 3))
        for event in tampered:
            field = rng.choice([*EDITS, "deleted"])
            if field == "deleted":
                AuditEvent.objects.filter(pk=event.pk).delete()
            else:
                update_event(event, **{field: EDITS[field](event)})
        assert find_first_broken(chain) == min(event.seq for event in tampered)
        AuditEvent.objects.all().delete()
        AuditEvent.objects.bulk_create(events)
        assert find_first_broken(chain) is None


def make_chain_anew(chain: Project) -> None:
    """Do what somebody can do who writes to the database and knows the code: everything but the seals."""
    previous_digest = ""
    events = list(AuditEvent.objects.filter(project=chain).order_by("seq"))
    for seq, event in enumerate(events, start=1):
        AuditEvent.objects.filter(pk=event.pk).update(seq=seq + 10_000)
    for seq, event in enumerate(events, start=1):
        event.seq = seq
        event.digest = previous_digest = event.compute_digest(previous_digest)
        event.save()
    AuditHead.objects.filter(project=chain).update(seq=len(events), digest=previous_digest)


def test_it_finds_a_chain_that_was_made_anew(chain: Project) -> None:
    update_event(get_event(chain, 4), verb="did nothing")
    make_chain_anew(chain)

    assert find_first_broken(chain) == 4


def test_it_finds_seals_of_another_key(chain: Project, settings: Settings) -> None:
    key, settings.AUDIT_KEY = settings.AUDIT_KEY, "somebody else's key for audit logs"
    event = get_event(chain, 4)
    event.actor_name = "somebody else"
    event.digest = event.compute_digest(get_event(chain, 3).digest)
    update_event(event, actor_name=event.actor_name, seal=event.compute_seal(get_event(chain, 3).digest))
    make_chain_anew(chain)
    settings.AUDIT_KEY = key

    assert find_first_broken(chain) == 4


def test_it_finds_an_actor_that_was_removed(chain: Project) -> None:
    update_event(get_event(chain, 2), actor=None)

    assert find_first_broken(chain) == 2


def test_it_finds_exchanged_chains(chain: Project, other_project: Project) -> None:
    record(other_project, "command", "counted", "there")
    spare = ProjectFactory.create()
    for source, target in ((chain, spare), (other_project, chain), (spare, other_project)):
        AuditEvent.objects.filter(project=source).update(project=target)
        AuditHead.objects.filter(project=source).update(project=target)

    assert (find_first_broken(chain), find_first_broken(other_project)) == (1, 1)


def tamper(chain: Project, rng: random.Random) -> str:
    """Change the log in a random way. Returns what was done."""
    events = list(AuditEvent.objects.filter(project=chain).order_by("seq"))
    act = rng.choice(["edit", "delete", "swap", "insert", "truncate", "truncate all", "make anew", "exchange"])
    first, second = rng.sample(events, 2)
    if act == "edit":
        field = rng.choice(list(EDITS))
        update_event(first, **{field: EDITS[field](first)})
    elif act == "delete":
        AuditEvent.objects.filter(pk__in=[event.pk for event in rng.sample(events, rng.randint(1, 3))]).delete()
    elif act == "swap":
        for event, seq in ((first, 10_000), (second, first.seq), (first, second.seq)):
            update_event(event, seq=seq)
    elif act == "insert":
        AuditEvent.objects.filter(project=chain, seq__gte=first.seq).order_by("-seq").update(seq=F("seq") + 20_000)
        AuditEvent.objects.filter(project=chain, seq__gt=20_000).update(seq=F("seq") - 19_999)
        first.pk = None
        first.save(force_insert=True)
    else:
        cut_at = 0 if act == "truncate all" else rng.randint(1, LENGTH - 1)
        if act in ("truncate", "truncate all"):
            AuditEvent.objects.filter(project=chain, seq__gt=cut_at).delete()
        elif act == "make anew":
            update_event(first, detail='{"number":77}')
        else:
            AuditEvent.objects.filter(project=chain).update(project=ProjectFactory.create())
        make_chain_anew(chain)
    return act


def test_it_finds_each_of_a_thousand_random_changes(chain: Project) -> None:
    """By itself or by the exported head; a truncation with its head by that alone."""
    rng, head, missed = random.Random(11), make_head(chain), []
    for number in range(1_000):
        with transaction.atomic():
            act = tamper(chain, rng)
            if find_first_broken(chain) is None and not find_problem(head):
                missed.append((number, act))
            transaction.set_rollback(True)

    assert missed == []
    assert (find_first_broken(chain), find_problem(head)) == (None, "")
