"""What Laminar's answer means for a patch and for its project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from reviewapp.delivery import breaker, outbox, schedule
from reviewapp.delivery.models import Attempt, Patch, Reason, State
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError, Retry
from reviewapp.lib import clock, failpoints


class NotSent(LaminarError):
    """Nothing left this machine, by a fault of ours: the far side has no part in it."""


class TagsRefused(LaminarError):
    """Laminar takes no tags from this key, or none at all: a person gives another key, then sends them again."""

    retry = Retry.NEVER


@dataclass(frozen=True, slots=True)
class PushResult:
    """One push that ended: its patch, when it began, how many seconds it took, and the error if there was one.

    `is_half` says that the error is about the tags: the metadata was taken. `is_its_own` says that the error tells
    nothing about the project: others are taken, and this one had failed before.
    """

    patch: Patch
    key: LaminarKey | None
    started_at: datetime
    seconds: float
    error: LaminarError | None
    is_partial: bool = False
    is_patch_specific: bool = False


def record_pushes(results: Sequence[PushResult]) -> None:
    """Write what came of these pushes, each with its attempt, in one transaction."""
    with transaction.atomic():
        # By project, as every worker does: two of them wait for each other's breakers and never in a ring.
        ordered = sorted(results, key=lambda sent: sent.patch.project_id)
        # All that was simply taken is one statement: at a thousand a second each of its own would be most of the work.
        taken = {sent.patch.pk: sent for sent in ordered if sent.error is None and not sent.patch.is_partially_sent}
        kept = (
            outbox.record_outcomes([sent.patch for sent in taken.values()], **_accepted_changes()) if taken else set()
        )
        marked = [
            sent
            for sent in ordered
            if sent.patch.pk in kept or outbox.record_outcome(sent.patch, **_patch_changes(sent))
        ]
        failpoints.hit("push.marking")
        _update_breakers(marked)
        Attempt.objects.bulk_create([_build_attempt(sent) for sent in marked])
        _record_key_use(marked)


def _patch_changes(sent: PushResult) -> dict[str, Any]:
    """What becomes of the patch."""
    now = clock.now()
    # Each push of the metadata counts as a span of the trace there: it is not repeated for the sake of the tags.
    taken = {"accepted_at": now, "sends": F("sends") + 1}
    if sent.error is not None:
        return _changes_after_error(sent.patch, sent.error, now) | (taken if sent.is_partial else {})
    return _accepted_changes() | ({"sends": F("sends")} if sent.patch.is_partially_sent else {})


def _accepted_changes() -> dict[str, Any]:
    now = clock.now()
    return {
        "state": State.ACCEPTED, "reads": 0, "last_error": "", "due_at": now + schedule.FIRST_READ_DELAY,
        "accepted_at": now, "sends": F("sends") + 1,
    }  # fmt: skip


def _changes_after_error(patch: Patch, error: LaminarError, now: datetime) -> dict[str, Any]:
    said = str(error)[:600]
    if error.retry is Retry.WHEN_INGESTED:
        wait = schedule.miss_delay(patch.misses + 1)
        if wait is None:
            return _parked_changes(Reason.TRACE_NOT_FOUND, said)
        return {"state": State.WAITING, "misses": F("misses") + 1, "due_at": now + wait, "last_error": said}
    if error.retry is Retry.AFTER_KEY:
        return {"state": State.WAITING, "last_error": said}
    if error.retry is Retry.NEVER:
        return _parked_changes(Reason.REFUSED, said)
    if patch.failures + 1 >= schedule.GIVE_UP_MIN_TRIES and now - _failing_since(patch, now) > schedule.GIVE_UP_AFTER:
        return _parked_changes(Reason.GAVE_UP, said)
    wait = schedule.failure_delay(patch.failures + 1, error.retry_after)
    return {"state": State.WAITING, "failures": F("failures") + 1, "due_at": now + wait, "last_error": said}


def _failing_since(patch: Patch, now: datetime) -> datetime:
    """When it was failing already: as many tries ago as failures are counted. Time that it waited for a key is not."""
    tries = Attempt.objects.filter(patch=patch, act=Attempt.Act.PUSH).order_by("-pk").values_list("at", flat=True)
    return tries[patch.failures - 1 : patch.failures].first() or now


def _parked_changes(reason: Reason, said: str) -> dict[str, Any]:
    return {"state": State.PARKED, "reason": reason, "last_error": said}


def _update_breakers(marked: Sequence[PushResult]) -> None:
    """Count failures in a row by project, and close the breaker of one whose Laminar answers."""
    calm: set[int] = set()
    for sent in marked:
        project_id, error = sent.patch.project_id, sent.error
        if error is not None and error.retry is Retry.AFTER_KEY:
            breaker.open_breaker(project_id, str(error), sent.key)
            calm.discard(project_id)
        elif error is not None and error.retry is Retry.LATER:
            if not isinstance(error, NotSent) and not sent.is_patch_specific:
                breaker.record_failure(sent.patch, error)
                calm.discard(project_id)
        elif (error is None or error.status is not None) and project_id not in calm:
            # Also a refusal, or a trace that is not known yet, is the word of a Laminar that serves.
            breaker.record_answer(project_id)
            calm.add(project_id)


def _build_attempt(sent: PushResult) -> Attempt:
    error = sent.error
    return Attempt(
        patch=sent.patch, act=Attempt.Act.PUSH, at=sent.started_at, seconds=sent.seconds,
        status=200 if error is None else error.status,
        outcome="Laminar took it and will apply it." if error is None else _outcome_text(sent, str(error))[:600],
        answer="" if error is None else error.response_text,
    )  # fmt: skip


def _outcome_text(sent: PushResult, said: str) -> str:
    return f"Laminar took the values, but not the tags yet. {said}" if sent.is_partial else said


def _record_key_use(results: Sequence[PushResult]) -> None:
    last = {sent.key.pk: sent for sent in results if sent.key is not None}
    for key_id, sent in last.items():
        LaminarKey.objects.filter(pk=key_id).update(
            last_used_at=sent.started_at, last_error="" if sent.error is None else str(sent.error)[:300]
        )
