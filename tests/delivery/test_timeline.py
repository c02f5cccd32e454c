"""The timeline of a patch in words, as reviewers and leads read it."""

from datetime import timedelta
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Breaker, Patch, Reason, State
from reviewapp.delivery.timeline import build_timeline, find_overriding_patch, get_block_reason
from reviewapp.lib import clock
from tests.factories import PatchFactory

NOW = clock.now()
LATER = NOW + timedelta(hours=1)


def step_texts(*, can_read: bool = True, **fields: Any) -> list[str]:
    patch: Patch = PatchFactory.build(**fields)
    return [step.text for step in build_timeline(patch, can_read=can_read)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["waiting to be sent"]),
        ({"failures": 2, "due_at": LATER}, ["pushed, 2 attempts", "waiting to be sent again, next attempt"]),
        ({"failures": 1, "due_at": NOW}, ["pushed", "waiting to be sent again, due now"]),
        ({"state": State.SENDING}, ["being sent"]),
        (
            {"state": State.ACCEPTED, "sends": 1, "accepted_at": NOW},
            ["pushed", "accepted by Laminar", "being read back"],
        ),
        (
            {"state": State.CONFIRMED, "sends": 1, "accepted_at": NOW, "drifted_at": NOW},
            ["pushed", "accepted by Laminar", "confirmed", "changed in Laminar"],
        ),
        (
            {"state": State.PARKED, "failures": 1, "reason": "refused"},
            ["pushed", "parked: Laminar refused it"],
        ),
        ({"state": State.SUPERSEDED}, ["not sent"]),
    ],
)
def test_it_shows_each_step(fields: dict[str, Any], expected: list[str]) -> None:
    assert step_texts(**fields) == ["saved here", *expected]


def test_it_shows_when_the_key_cannot_read() -> None:
    assert step_texts(can_read=False, state=State.ACCEPTED)[-1] == "not read back"


def test_it_shows_why_a_patch_is_retried() -> None:
    patch = PatchFactory.build(failures=1, last_error="Laminar is in trouble (500).")
    assert build_timeline(patch, can_read=True)[-1].detail == "Laminar is in trouble (500)."


@pytest.mark.parametrize("source", ["review of ana", "token:ci", "command: scores.jsonl", "bulk 3 of lead"])
def test_it_says_for_any_source_that_the_values_are_saved(source: str) -> None:
    patch = PatchFactory.build(source=source, state=State.PARKED, reason=Reason.REFUSED, last_error="Laminar said no.")
    detail = build_timeline(patch, can_read=True)[-1].detail
    assert detail.startswith("Laminar said no. The values are saved here.")
    assert "review" not in detail.lower()


@pytest.mark.parametrize("state", State.values)
@pytest.mark.parametrize("can_read", [True, False])
def test_it_never_mentions_a_review_for_a_patch_of_a_program(state: str, can_read: bool) -> None:
    fields = {"source": "token:ci", "state": state, "failures": 1, "accepted_at": NOW, "drifted_at": NOW}
    steps = build_timeline(PatchFactory.build(**fields), can_read=can_read)
    assert not any("review" in f"{step.text} {step.detail}".lower() for step in steps)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"paused_at": NOW}, "until an admin resumes it"),
        ({"open_until": LATER, "reason": "Laminar refused the key (401)."}, "Laminar refused the key (401)."),
    ],
)
def test_it_shows_why_a_patch_is_blocked_and_no_time(project: Project, fields: dict[str, Any], reason: str) -> None:
    Breaker.objects.create(project=project, **fields)
    patch = PatchFactory.create(project=project, failures=1)
    step = build_timeline(patch, can_read=True, block_reason=get_block_reason(patch))[-1]
    assert (step.text, step.at) == ("paused, not sent yet", None)
    assert reason in step.detail
    assert get_block_reason(PatchFactory.create(project=project, state=State.CONFIRMED)) == ""


def test_it_shows_no_block_when_the_breaker_is_due_for_a_probe(project: Project) -> None:
    Breaker.objects.create(project=project, open_until=NOW)
    assert get_block_reason(PatchFactory.create(project=project)) == ""


def test_it_finds_a_newer_patch_with_other_values(project: Project) -> None:
    older = PatchFactory.create(project=project, metadata='{"score":1}', state=State.CONFIRMED)
    newer = PatchFactory.create(project=project, trace_id=older.trace_id, metadata='{"score":0}')
    assert find_overriding_patch(older) == newer
    assert find_overriding_patch(newer) is None


@pytest.mark.parametrize("metadata", ['{"score":1}', '{"other":0}'], ids=["the same value", "another key"])
def test_it_ignores_a_newer_patch_that_changes_nothing(project: Project, metadata: str) -> None:
    older = PatchFactory.create(project=project, metadata='{"score":1}', state=State.CONFIRMED)
    PatchFactory.create(project=project, trace_id=older.trace_id, metadata=metadata)
    assert find_overriding_patch(older) is None
