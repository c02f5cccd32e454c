"""The way of a patch in words: what has happened, what happens now, and what a person has to look at."""

from dataclasses import dataclass
from datetime import datetime

from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One step in words; `look` is how its dot looks beside them, `at` when it was or, where it is to come, will be."""

    text: str
    status: str = ""
    at: datetime | None = None
    detail: str = ""


def find_overriding_patch(patch: Patch) -> Patch | None:
    """A newer patch of ours that has set some of this one's keys to other values; the newest."""
    newer = Patch.objects.filter(project=patch.project_id, trace_id=patch.trace_id, pk__gt=patch.pk)
    ours = patch.values
    for one in newer.exclude(state=State.SUPERSEDED).order_by("-pk")[:20]:
        if any(key in ours and ours[key] != value for key, value in one.values.items()):
            return one
    return None


def get_block_reason(patch: Patch) -> str:
    """Why a patch that waits is not sent for now, in sentences; empty where nothing holds its project."""
    breaker = Breaker.objects.filter(project=patch.project_id).first() if patch.state == State.WAITING else None
    if breaker is None:
        return ""
    if breaker.paused_at is not None:
        return "Nothing of this project is sent until an admin has looked at what waits, under Deliveries."
    return f"Pushing is held back. {breaker.reason}".strip() if breaker.is_open else ""


def build_timeline(
    patch: Patch, *, can_read: bool, saved_at: datetime | None = None, is_replaced: bool = False, block_reason: str = ""
) -> list[TimelineStep]:
    """The steps in order. `saved_at` is the review's own time; `replaced` says that a newer patch carries its keys.

    `hold` is what `hold_of` says.
    """
    steps = [TimelineStep("saved here", "done", saved_at or patch.created_at)]
    if is_replaced:
        steps.append(TimelineStep("carried by a newer delivery", "replaced", patch.created_at))
    if patch.tries:
        steps.append(TimelineStep("pushed" if patch.tries == 1 else f"pushed, {patch.tries} tries", "done"))
    if patch.accepted_at is not None:
        steps.append(TimelineStep("accepted by Laminar", "done", patch.accepted_at))
    if block_reason:
        return [*steps, TimelineStep("held, not sent yet", "look", None, block_reason)]
    return steps + _NOW[State(patch.state)](patch, can_read)


def _waiting(patch: Patch, can_read: bool) -> list[TimelineStep]:
    if patch.tries and patch.due_at > clock.now():
        return [TimelineStep("waiting to be sent again, next try", "", patch.due_at, patch.last_error)]
    if patch.tries:
        return [TimelineStep("waiting to be sent again as soon as it is its turn", detail=patch.last_error)]
    return [TimelineStep("waiting to be sent")]


def _sending(patch: Patch, can_read: bool) -> list[TimelineStep]:
    return [TimelineStep("being sent")]


def _accepted(patch: Patch, can_read: bool) -> list[TimelineStep]:
    if can_read:
        return [TimelineStep("being read back", "", None, patch.last_error)]
    return [TimelineStep("not read back", detail="This project's key may not read, so nobody can read it back.")]


def _confirmed(patch: Patch, can_read: bool) -> list[TimelineStep]:
    steps = [TimelineStep("confirmed", "done", patch.confirmed_at)]
    if patch.drifted_at is not None:
        steps.append(TimelineStep("changed in Laminar since", "look", patch.drifted_at))
    return steps


def _parked(patch: Patch, can_read: bool) -> list[TimelineStep]:
    safe = "The review is safe here; a lead can send it again under Deliveries."
    return [TimelineStep(f"parked: {patch.get_reason_display()}", "broken", None, f"{patch.last_error} {safe}".strip())]


def _superseded(patch: Patch, can_read: bool) -> list[TimelineStep]:
    if patch.superseded_by_id is not None:
        return [TimelineStep("replaced by a newer delivery", "replaced", detail=patch.last_error)]
    return [TimelineStep("not sent", "replaced", detail=patch.last_error)]


_NOW = {
    State.WAITING: _waiting,
    State.SENDING: _sending,
    State.ACCEPTED: _accepted,
    State.CONFIRMED: _confirmed,
    State.PARKED: _parked,
    State.SUPERSEDED: _superseded,
}
