"""Verify that no recorded event was changed, and seal those of versions without seals."""

import hmac

from django.db.models import Exists, F, OuterRef, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent, AuditHead
from reviewapp.audit.recording import record

BATCH_SIZE = 500


class BrokenChainError(Exception):
    """The chain is broken at event `seq`; nothing after it can be sealed."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"Event {seq} or one before it was changed, removed or inserted.")
        self.seq = seq


def find_first_broken(project: Project) -> int | None:
    """Return the number of the first event that was edited, removed, moved or inserted; None if the chain is intact.

    An event that is not sealed counts as edited. A chain that was cut off at its end, together with its head, is
    intact: only an exported head (`audit.heads`) shows that.
    """
    head = AuditHead.objects.filter(project=project).first()
    previous_digest, expected_seq, head_state = "", 1, (head.seq, head.digest) if head else (0, "")
    # Read events and head in one statement: an event that is recorded meanwhile is in both or in neither.
    events = AuditEvent.objects.filter(project=project).annotate(
        head_seq=F("project__audit_head__seq"),
        head_digest=F("project__audit_head__digest"),
        has_actor=Exists(User.objects.filter(pk=OuterRef("sealed_actor"))),
    )
    for event in events.order_by("seq").iterator():
        if event.seq != expected_seq or not _is_intact(event, previous_digest):
            return expected_seq
        previous_digest, expected_seq = event.digest, expected_seq + 1
        head_state = (event.head_seq, event.head_digest)
    return None if head_state == (expected_seq - 1, previous_digest) else expected_seq


def _is_intact(event: AuditEvent, previous_digest: str) -> bool:
    # The actor is the sealed one, or null because that user was deleted.
    has_right_actor = event.actor_id == event.sealed_actor or (event.actor_id is None and not event.has_actor)  # type: ignore[attr-defined]
    is_sealed = hmac.compare_digest(event.seal.encode(), event.compute_seal(previous_digest).encode())
    return event.digest == event.compute_digest(previous_digest) and is_sealed and has_right_actor


def count_unsealed(project: Project) -> int:
    """How many events are not sealed: a version without seals recorded them, or somebody inserted them."""
    return _select_unsealed(project).count()


def seal_old_events(project: Project) -> int:
    """Seal the events that are not sealed yet, once their digests are verified. Returns how many, and records it.

    Safe while events are recorded, and to run again. Raises BrokenChainError; events before that one are sealed.
    """
    previous_digest, expected_seq, count, first = "", 1, 0, 0
    batch: list[AuditEvent] = []
    for event in AuditEvent.objects.filter(project=project).order_by("seq").iterator():
        if event.seq != expected_seq or event.digest != event.compute_digest(previous_digest):
            count += _save_seals(batch)
            raise BrokenChainError(expected_seq)
        if not event.seal:
            first = first or event.seq
            event.sealed_actor = event.actor_id
            event.seal = event.compute_seal(previous_digest)
            batch.append(event)
        if len(batch) == BATCH_SIZE:
            count += _save_seals(batch)
            batch = []
        previous_digest, expected_seq = event.digest, expected_seq + 1
    count += _save_seals(batch)
    if count:
        record(project, "command", "sealed earlier events", "audit log", count=count, first=first)
    return count


def _select_unsealed(project: Project) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(project=project, seal="")


def _save_seals(events: list[AuditEvent]) -> int:
    return AuditEvent.objects.bulk_update(events, ["seal", "sealed_actor"]) if events else 0
