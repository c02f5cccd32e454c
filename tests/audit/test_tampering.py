"""Changes to recorded events in the database are detected."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent, AuditHead
from reviewapp.audit.recording import find_first_broken, record

LENGTH = 12
ROUNDS = 25


@pytest.fixture
def chain(project: Project) -> Project:
    for number in range(LENGTH):
        record(project, "command", "counted", f"number:{number}", number=number)
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

    assert find_first_broken(chain) == 5


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

    assert find_first_broken(chain) == LENGTH + 2


def test_it_finds_an_event_moved_to_another_project(chain: Project, other_project: Project) -> None:
    update_event(get_event(chain, 1), project=other_project)

    assert (find_first_broken(chain), find_first_broken(other_project)) == (1, 2)


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
        AuditEvent.objects.filter(project=chain).delete()
        AuditEvent.objects.bulk_create(events)
        assert find_first_broken(chain) is None
