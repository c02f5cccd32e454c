"""The timeline of a patch in words: what has happened, what happens now, and what needs a person."""

from dataclasses import dataclass
from datetime import datetime

from reviewapp.delivery.drift import MAX_REPUSHES
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock

REPUSHED = "Laminar had older values of ours, because a delayed push came after a newer one."


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One step in words. `status` is the CSS class of its dot, `at` when it happened or will happen."""

    text: str
    status: str = ""
    at: datetime | None = None
    detail: str = ""


def find_overriding_patch(patch: Patch) -> Patch | None:
    """The newest of our patches that has since set one of this patch's keys to another value."""
    newer = Patch.objects.filter(project=patch.project_id, trace_id=patch.trace_id, pk__gt=patch.pk)
    values = patch.values
    for newer_patch in newer.exclude(state=State.SUPERSEDED).order_by("-pk")[:20]:
        if any(key in values and values[key] != value for key, value in newer_patch.values.items()):
            return newer_patch
    return None


def get_block_reason(patch: Patch) -> str:
    """Why a waiting patch is not sent for now, in sentences; empty if nothing blocks its project."""
    breaker = Breaker.objects.filter(project=patch.project_id).first() if patch.state == State.WAITING else None
    if breaker is None:
        return ""
    if breaker.paused_at is not None:
        return "Delivery is paused for this project until an admin resumes it under Deliveries."
    return f"Pushing has stopped for now. {breaker.reason}".strip() if breaker.is_open else ""


def build_timeline(
    patch: Patch, *, can_read: bool, saved_at: datetime | None = None, is_replaced: bool = False, block_reason: str = ""
) -> list[TimelineStep]:
    """The steps of a patch, in order.

    `saved_at`: when the values were first saved, if not with this patch. `is_replaced`: this patch carries the keys of
    an older one that the reader asked for. `block_reason`: what `get_block_reason` returned.
    """
    steps = [TimelineStep("saved here", "done", saved_at or patch.created_at)]
    if is_replaced:
        steps.append(TimelineStep("carried by a newer delivery", "replaced", patch.created_at))
    if patch.tries:
        steps.append(TimelineStep("pushed" if patch.tries == 1 else f"pushed, {patch.tries} attempts", "done"))
    if patch.accepted_at is not None:
        steps.append(TimelineStep("accepted by Laminar", "done", patch.accepted_at))
    if block_reason:
        return [*steps, TimelineStep("paused, not sent yet", "look", None, block_reason)]
    steps += _CURRENT_STEPS[State(patch.state)](patch, can_read)
    if patch.repushes:
        steps.append(
            TimelineStep(f"newest values pushed again, {patch.repushes} of {MAX_REPUSHES}", "", None, REPUSHED)
        )
    return steps


def _waiting(patch: Patch, can_read: bool) -> list[TimelineStep]:
    if patch.tries and patch.due_at > clock.now():
        return [TimelineStep("waiting to be sent again, next attempt", "", patch.due_at, patch.last_error)]
    if patch.tries:
        return [TimelineStep("waiting to be sent again, due now", detail=patch.last_error)]
    return [TimelineStep("waiting to be sent")]


def _sending(patch: Patch, can_read: bool) -> list[TimelineStep]:
    return [TimelineStep("being sent")]


def _accepted(patch: Patch, can_read: bool) -> list[TimelineStep]:
    if can_read:
        return [TimelineStep("being read back", "", None, patch.last_error)]
    return [TimelineStep("not read back", detail="The project's key cannot read, so the values cannot be confirmed.")]


def _confirmed(patch: Patch, can_read: bool) -> list[TimelineStep]:
    steps = [TimelineStep("confirmed", "done", patch.confirmed_at)]
    if patch.drifted_at is not None:
        steps.append(TimelineStep("changed in Laminar", "look", patch.drifted_at))
    return steps


def _parked(patch: Patch, can_read: bool) -> list[TimelineStep]:
    detail = f"{patch.last_error} The values are saved here.".strip()
    if patch.can_be_retried:
        detail += " A lead can retry the delivery under Deliveries."
    return [TimelineStep(f"parked: {patch.get_reason_display()}", "broken", None, detail)]


def _superseded(patch: Patch, can_read: bool) -> list[TimelineStep]:
    if patch.superseded_by_id is not None:
        return [TimelineStep("replaced by a newer delivery", "replaced", detail=patch.last_error)]
    return [TimelineStep("not sent", "replaced", detail=patch.last_error)]


_CURRENT_STEPS = {
    State.WAITING: _waiting,
    State.SENDING: _sending,
    State.ACCEPTED: _accepted,
    State.CONFIRMED: _confirmed,
    State.PARKED: _parked,
    State.SUPERSEDED: _superseded,
}
