"""What Laminar's answer means for a patch and for its project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from reviewapp.delivery import outbox, schedule
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.keys.holding import key_in_use
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError, Retry
from reviewapp.lib import clock

# Stands for "no key at all" where a breaker names the key that did not serve.
NO_KEY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Sent:
    """One push that ended: its patch, when it began, how many seconds it took, and the error if there was one."""

    patch: Patch
    key: LaminarKey | None
    at: datetime
    seconds: float
    error: LaminarError | None


def mark_sent(results: Sequence[Sent]) -> None:
    """Write what came of these pushes, each with its attempt, in one transaction."""
    with transaction.atomic():
        Attempt.objects.bulk_create([_attempt(sent) for sent in results if _mark_one(sent)])
        _note_keys(results)


def hold(project_id: int, reason: str, key: LaminarKey | None) -> None:
    """Open a project's breaker until it has another key: its rows wait, and nothing is lost."""
    Breaker.objects.update_or_create(
        project_id=project_id,
        defaults={
            "held_until": clock.now() + schedule.KEY_HOLD,
            "refused_key": NO_KEY if key is None else key.pk,
            "reason": reason[:600],
        },
    )


def release_rekeyed() -> None:
    """Close the breakers of projects whose key in use is not the one that was refused."""
    for breaker in Breaker.objects.exclude(refused_key=None).select_related("project"):
        key = key_in_use(breaker.project)
        if key is not None and key.pk != breaker.refused_key:
            release(breaker.project_id)


def release(project_id: int) -> None:
    """Close a project's breaker and send what waited, in order."""
    with transaction.atomic():
        Breaker.objects.filter(project_id=project_id).update(failures=0, held_until=None, refused_key=None, reason="")
        Patch.objects.filter(project_id=project_id, state=State.WAITING, failures__gt=0).update(
            due_at=clock.now(), failures=0
        )


def _mark_one(sent: Sent) -> bool:
    if sent.error is None:
        return _accepted(sent)
    patch, error, now = sent.patch, sent.error, clock.now()
    said = str(error)[:600]
    if error.retry is Retry.WHEN_INGESTED:
        wait = schedule.after_miss(patch.misses + 1)
        if wait is None:
            return _park(patch, Reason.TRACE_NOT_FOUND, said)
        return outbox.mark(patch, state=State.WAITING, misses=F("misses") + 1, due_at=now + wait, last_error=said)
    if error.retry is Retry.AFTER_KEY:
        hold(patch.project_id, said, sent.key)
        return outbox.mark(patch, state=State.WAITING, last_error=said)
    if error.retry is Retry.NEVER:
        return _park(patch, Reason.REFUSED, said)
    _count_failure(patch.project_id, said)
    if now - patch.created_at > schedule.WINDOW:
        return _park(patch, Reason.GAVE_UP, said)
    wait = schedule.after_failure(patch.failures + 1, error.retry_after)
    return outbox.mark(patch, state=State.WAITING, failures=F("failures") + 1, due_at=now + wait, last_error=said)


def _accepted(sent: Sent) -> bool:
    now = clock.now()
    Breaker.objects.filter(project_id=sent.patch.project_id).exclude(failures=0, held_until=None).update(
        failures=0, held_until=None, refused_key=None, reason=""
    )
    return outbox.mark(
        sent.patch, state=State.ACCEPTED, accepted_at=now, sends=F("sends") + 1, reads=0, last_error="",
        due_at=now + (schedule.after_read(0) or schedule.HOLD),
    )  # fmt: skip


def _park(patch: Patch, reason: Reason, said: str) -> bool:
    return outbox.mark(patch, state=State.PARKED, reason=reason, last_error=said)


def _count_failure(project_id: int, said: str) -> None:
    Breaker.objects.get_or_create(project_id=project_id)
    breaker = Breaker.objects.filter(project_id=project_id)
    breaker.update(failures=F("failures") + 1, reason=said)
    breaker.filter(failures__gte=schedule.BREAK_AFTER).update(held_until=clock.now() + schedule.HOLD)


def _attempt(sent: Sent) -> Attempt:
    error = sent.error
    return Attempt(
        patch=sent.patch, act=Attempt.Act.PUSH, at=sent.at, seconds=sent.seconds,
        status=200 if error is None else error.status,
        outcome="Laminar took it and will apply it." if error is None else str(error)[:600],
        answer="" if error is None else error.answer,
    )  # fmt: skip


def _note_keys(results: Sequence[Sent]) -> None:
    for key in {sent.key for sent in results if sent.key is not None}:
        last = [sent for sent in results if sent.key == key][-1]
        LaminarKey.objects.filter(pk=key.pk).update(
            last_used_at=last.at, last_error="" if last.error is None else str(last.error)[:300]
        )
