"""Whoever can write to the database may change what was recorded, but not unseen."""

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


def at(project: Project, seq: int) -> AuditEvent:
    return AuditEvent.objects.get(project=project, seq=seq)


def written(event: AuditEvent, **changes: object) -> None:
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
    event = at(chain, seq)
    written(event, **{field: EDITS[field](event)})

    assert find_first_broken(chain) == seq


def test_it_finds_an_edit_that_is_sealed_again(chain: Project) -> None:
    event = at(chain, 4)
    event.verb = "did nothing"
    written(event, verb=event.verb, digest=event.compute_digest(at(chain, 3).digest))

    assert find_first_broken(chain) == 5


@pytest.mark.parametrize("seq", range(1, LENGTH + 1))
def test_it_finds_a_deletion(chain: Project, seq: int) -> None:
    at(chain, seq).delete()

    assert find_first_broken(chain) == seq


def test_it_finds_a_deletion_that_closes_the_gap(chain: Project) -> None:
    at(chain, 4).delete()
    for event in AuditEvent.objects.filter(project=chain, seq__gt=4).order_by("seq"):
        written(event, seq=F("seq") - 1)

    assert find_first_broken(chain) == 4


@pytest.mark.parametrize("left", range(LENGTH))
def test_it_finds_a_truncation(chain: Project, left: int) -> None:
    AuditEvent.objects.filter(project=chain, seq__gt=left).delete()

    assert find_first_broken(chain) == left + 1


def test_it_finds_a_truncation_that_takes_the_head_along(chain: Project) -> None:
    AuditEvent.objects.filter(project=chain, seq__gt=5).delete()
    AuditHead.objects.filter(project=chain).delete()

    assert find_first_broken(chain) == 6


def test_it_finds_a_swap(chain: Project) -> None:
    first, second = at(chain, 3), at(chain, 9)
    written(first, seq=10_000)
    written(second, seq=3)
    written(first, seq=9)

    assert find_first_broken(chain) == 3


def test_it_finds_an_insertion(chain: Project) -> None:
    last = at(chain, LENGTH)
    forged = AuditEvent(
        project=chain, seq=LENGTH + 1, at=last.at, actor_name="admin", verb="allowed", target="all", detail="{}"
    )
    forged.digest = forged.compute_digest(last.digest)
    forged.save(force_insert=True)

    assert find_first_broken(chain) == LENGTH + 2


def test_it_finds_an_event_moved_to_another_project(chain: Project, other_project: Project) -> None:
    written(at(chain, 1), project=other_project)

    assert (find_first_broken(chain), find_first_broken(other_project)) == (1, 2)


def test_it_finds_text_that_cannot_be_sealed(chain: Project) -> None:
    """SQLite keeps a NUL, which no event of ours holds: it must be found, not break the finding."""
    written(at(chain, 3), target="number:\x00" if connection.vendor == "sqlite" else "number:\x01")

    assert find_first_broken(chain) == 3


def test_it_finds_any_mix_of_tampering(chain: Project) -> None:
    chance = random.Random(7)
    whole = list(AuditEvent.objects.filter(project=chain).order_by("seq"))
    for _ in range(ROUNDS):
        picked = chance.sample(whole, chance.randint(1, 3))
        for event in picked:
            field = chance.choice([*EDITS, "nothing of it"])
            if field == "nothing of it":
                AuditEvent.objects.filter(pk=event.pk).delete()
            else:
                written(event, **{field: EDITS[field](event)})
        assert find_first_broken(chain) == min(event.seq for event in picked)
        AuditEvent.objects.filter(project=chain).delete()
        AuditEvent.objects.bulk_create(whole)
        assert find_first_broken(chain) is None
