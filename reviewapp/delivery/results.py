"""What Laminar's answer to a push means for the patch and for its project."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import F

from reviewapp.delivery import breaker, outbox, outcome_log, parking, schedule
from reviewapp.delivery.models import Attempt, Patch, Reason, State
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError, Retry
from reviewapp.lib import backoff, clock, failpoints
from reviewapp.lib.shortening import shorten

log = logging.getLogger(__name__)

ACCEPTED_MESSAGE = "Laminar accepted it and will apply it."
UNRECORDED_MESSAGE = (
    "Laminar answered, but an internal error kept the result from being recorded (see the worker's log)."
    " Other deliveries are not affected."
)


class NotSent(LaminarError):
    """Nothing was sent, because of a fault on this machine; it says nothing about Laminar."""


class Unreadable(LaminarError):
    """The stored values of the patch cannot be read, so nothing was sent."""

    retry = Retry.NEVER


class TagsRefused(LaminarError):
    """Laminar accepts no tags from this key, or none at all: a person adds another key, then retries."""

    retry = Retry.NEVER


@dataclass(frozen=True, slots=True)
class PushResult:
    """One finished push: its patch, when it started, how many seconds it took, and the error if it failed.

    `is_partial`: the error is about the tags, the metadata was accepted. `is_patch_specific`: the error says nothing
    about the project, because others succeed and this patch had failed before.
    """

    patch: Patch
    key: LaminarKey | None
    started_at: datetime
    seconds: float
    error: LaminarError | None
    is_partial: bool = False
    is_patch_specific: bool = False


def record_pushes(results: Sequence[PushResult]) -> None:
    """Write the outcomes of these pushes with their attempts, in one transaction.

    If that fails, each is written by itself, and one that fails alone is parked. Raises OperationalError.
    """
    try:
        _record(results)
    except OperationalError:
        raise
    except Exception as error:
        for result in results if len(results) > 1 else []:
            record_pushes([result])
        if len(results) == 1:
            if isinstance(error, failpoints.FailpointError):
                raise
            log.exception("Could not record the push of delivery %s; it is parked", results[0].patch.pk)
            patch = results[0].patch
            with transaction.atomic():
                is_parked = outbox.record_outcome(patch, **_parked_changes(Reason.UNREADABLE, UNRECORDED_MESSAGE))
                if is_parked:
                    parking.emit_parked(patch, Reason.UNREADABLE, UNRECORDED_MESSAGE)
            if is_parked:
                outcome_log.log_parked(patch.project_id, patch.pk, UNRECORDED_MESSAGE)


def _record(results: Sequence[PushResult]) -> None:
    with transaction.atomic():
        # Sorted by project, so concurrent workers cannot deadlock on each other's breakers.
        ordered = sorted(results, key=lambda result: result.patch.project_id)
        # One statement for all plain successes: at a thousand per second, one each would be most of the work.
        successes = [result.patch for result in ordered if result.error is None and not result.patch.is_partially_sent]
        accepted = outbox.record_outcomes(successes, **_accepted_changes()) if successes else set()
        recorded: list[PushResult] = []
        failures: list[tuple[PushResult, State]] = []
        for result in ordered:
            changes = {} if result.patch.pk in accepted else _patch_changes(result)
            if not changes or outbox.record_outcome(result.patch, **changes):
                recorded.append(result)
                if result.error is not None:
                    failures.append((result, changes["state"]))
                    if changes["state"] == State.PARKED:
                        parking.emit_parked(result.patch, changes["reason"], str(result.error))
        failpoints.hit("push.marking")
        _update_breakers(recorded)
        Attempt.objects.bulk_create([_build_attempt(result) for result in recorded])
        _record_key_use(recorded)
    for result, state in failures:
        _log_failure(result, state)


def _patch_changes(result: PushResult) -> dict[str, Any]:
    now = clock.now()
    # Each push of the metadata counts as a span of the trace in Laminar: it is not repeated because of the tags.
    metadata_accepted = {"accepted_at": now, "sends": F("sends") + 1}
    if result.error is not None:
        return _changes_after_error(result.patch, result.error, now) | (metadata_accepted if result.is_partial else {})
    return _accepted_changes() | ({"sends": F("sends")} if result.patch.is_partially_sent else {})


def _accepted_changes() -> dict[str, Any]:
    now = clock.now()
    return {
        "state": State.ACCEPTED, "reads": 0, "last_error": "", "due_at": now + schedule.FIRST_READ_DELAY,
        "accepted_at": now, "sends": F("sends") + 1,
    }  # fmt: skip


def _changes_after_error(patch: Patch, error: LaminarError, now: datetime) -> dict[str, Any]:
    message = shorten(str(error), 600)
    if error.retry is Retry.WHEN_INGESTED:
        delay = schedule.miss_delay(patch.misses + 1)
        if delay is None:
            return _parked_changes(Reason.TRACE_NOT_FOUND, message)
        return {"state": State.WAITING, "misses": F("misses") + 1, "due_at": now + delay, "last_error": message}
    if error.retry is Retry.AFTER_KEY:
        return {"state": State.WAITING, "last_error": message}
    if isinstance(error, Unreadable):
        return outbox.UNREADABLE_CHANGES
    if error.retry is Retry.NEVER:
        return _parked_changes(Reason.REFUSED, message)
    if patch.failures + 1 >= schedule.GIVE_UP_MIN_TRIES and now - _failing_since(patch, now) > schedule.GIVE_UP_AFTER:
        return _parked_changes(Reason.GAVE_UP, message)
    delay = backoff.failure_delay(patch.failures + 1, error.retry_after)
    return {"state": State.WAITING, "failures": F("failures") + 1, "due_at": now + delay, "last_error": message}


def _log_failure(result: PushResult, state: State) -> None:
    """A refused key is in the line of its breaker; a trace that is not ingested yet is no failure."""
    error, patch = result.error, result.patch
    if state == State.PARKED:
        outcome_log.log_parked(patch.project_id, patch.pk, str(error))
    elif error is not None and error.retry is Retry.LATER:
        outcome_log.log_failed_push(patch.project_id, patch.pk, str(error))


def _failing_since(patch: Patch, now: datetime) -> datetime:
    """The time of the attempt as many attempts ago as failures are counted; waiting for a key is not failing."""
    times = Attempt.objects.filter(patch=patch, act=Attempt.Act.PUSH).order_by("-pk").values_list("at", flat=True)
    return times[patch.failures - 1 : patch.failures].first() or now


def _parked_changes(reason: Reason, message: str) -> dict[str, Any]:
    return {"state": State.PARKED, "reason": reason, "last_error": message}


def _update_breakers(results: Sequence[PushResult]) -> None:
    """Count failures in a row per project, and close the breaker of a project whose Laminar answers."""
    answered: set[int] = set()
    for result in results:
        project_id, error = result.patch.project_id, result.error
        if error is not None and error.retry is Retry.AFTER_KEY:
            breaker.open_breaker(project_id, str(error), result.key)
            answered.discard(project_id)
        elif error is not None and error.retry is Retry.LATER:
            if not isinstance(error, NotSent) and not result.is_patch_specific:
                breaker.record_failure(result.patch, error)
                answered.discard(project_id)
        elif (error is None or error.status is not None) and project_id not in answered:
            # A refusal, or a trace that is not known yet, also comes from a Laminar that is up.
            breaker.record_answer(project_id)
            answered.add(project_id)


def _build_attempt(result: PushResult) -> Attempt:
    error = result.error
    return Attempt(
        patch=result.patch, act=Attempt.Act.PUSH, at=result.started_at, seconds=result.seconds,
        status=200 if error is None else error.status,
        outcome=ACCEPTED_MESSAGE if error is None else shorten(_format_error(result, error), 600),
        answer="" if error is None else error.response_text,
    )  # fmt: skip


def _format_error(result: PushResult, error: LaminarError) -> str:
    return f"Laminar accepted the values, but not the tags yet. {error}" if result.is_partial else str(error)


def _record_key_use(results: Sequence[PushResult]) -> None:
    last_results = {result.key.pk: result for result in results if result.key is not None}
    for key_id, result in last_results.items():
        LaminarKey.objects.filter(pk=key_id).update(
            last_used_at=result.started_at, last_error="" if result.error is None else shorten(str(result.error), 300)
        )
