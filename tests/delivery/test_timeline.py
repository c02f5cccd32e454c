"""The way of a patch in words, as the reviewer and the lead read it."""

from datetime import timedelta
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.timeline import build_timeline, find_overriding_patch, get_block_reason
from reviewapp.lib import clock
from tests.factories import PatchFactory

NOW = clock.now()
LATER = NOW + timedelta(hours=1)


def words(*, can_read: bool = True, **fields: Any) -> list[str]:
    patch: Patch = PatchFactory.build(**fields)
    return [step.text for step in build_timeline(patch, can_read=can_read)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ["waiting to be sent"]),
        ({"failures": 2, "due_at": LATER}, ["pushed, 2 tries", "waiting to be sent again, next try"]),
        ({"failures": 1, "due_at": NOW}, ["pushed", "waiting to be sent again as soon as it is its turn"]),
        ({"state": State.SENDING}, ["being sent"]),
        (
            {"state": State.ACCEPTED, "sends": 1, "accepted_at": NOW},
            ["pushed", "accepted by Laminar", "being read back"],
        ),
        (
            {"state": State.CONFIRMED, "sends": 1, "accepted_at": NOW, "drifted_at": NOW},
            ["pushed", "accepted by Laminar", "confirmed", "changed in Laminar since"],
        ),
        (
            {"state": State.PARKED, "failures": 1, "reason": "refused"},
            ["pushed", "parked: Laminar refused it"],
        ),
        ({"state": State.SUPERSEDED}, ["not sent"]),
    ],
)
def test_it_tells_each_step(fields: dict[str, Any], told: list[str]) -> None:
    assert words(**fields) == ["saved here", *told]


def test_it_says_that_nobody_can_read_back() -> None:
    assert words(can_read=False, state=State.ACCEPTED)[-1] == "not read back"


def test_it_says_why_one_is_tried_again() -> None:
    patch = PatchFactory.build(failures=1, last_error="Laminar is in trouble (500).")
    assert build_timeline(patch, can_read=True)[-1].detail == "Laminar is in trouble (500)."


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"paused_at": NOW}, "until an admin has looked"),
        ({"open_until": LATER, "reason": "Laminar refused the key (401)."}, "Laminar refused the key (401)."),
    ],
)
def test_one_that_is_held_says_why_and_no_time(project: Project, fields: dict[str, Any], told: str) -> None:
    Breaker.objects.create(project=project, **fields)
    patch = PatchFactory.create(project=project, failures=1)
    step = build_timeline(patch, can_read=True, block_reason=get_block_reason(patch))[-1]
    assert (step.text, step.at) == ("held, not sent yet", None)
    assert told in step.detail
    assert get_block_reason(PatchFactory.create(project=project, state=State.CONFIRMED)) == ""


def test_nothing_holds_once_the_pause_is_over(project: Project) -> None:
    Breaker.objects.create(project=project, open_until=NOW)
    assert get_block_reason(PatchFactory.create(project=project)) == ""


def test_a_newer_patch_with_other_values_is_told(project: Project) -> None:
    older = PatchFactory.create(project=project, metadata='{"score":1}', state=State.CONFIRMED)
    newer = PatchFactory.create(project=project, trace_id=older.trace_id, metadata='{"score":0}')
    assert find_overriding_patch(older) == newer
    assert find_overriding_patch(newer) is None


@pytest.mark.parametrize("metadata", ['{"score":1}', '{"other":0}'], ids=["the same value", "another key"])
def test_a_newer_patch_that_changes_nothing_is_not_told(project: Project, metadata: str) -> None:
    older = PatchFactory.create(project=project, metadata='{"score":1}', state=State.CONFIRMED)
    PatchFactory.create(project=project, trace_id=older.trace_id, metadata=metadata)
    assert find_overriding_patch(older) is None
