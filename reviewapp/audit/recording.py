"""Record audit events, and verify that none was changed."""

from typing import Any

from django.db import transaction
from django.db.models import F

from reviewapp.accounts.models import Project, User
from reviewapp.audit import queries
from reviewapp.audit.models import AuditEvent, AuditHead, compute_digest
from reviewapp.lib import canonical_json, clock, sql


def record(project: Project, actor: User | str, verb: str, target: str, **detail: Any) -> None:
    """Append an event to the project's chain, in the transaction of the action itself.

    Call it last in that transaction: the head's row is locked until the commit.
    `actor` is a user, or the name of a program (`worker`, `command`, `token:ci`).
    """
    with transaction.atomic(savepoint=False):
        previous_digest, seq = _advance_head(project)
        user_id = actor.pk if isinstance(actor, User) else None
        now, name, text = clock.now(), get_actor_name(actor), canonical_json.dumps(detail)
        digest = compute_digest(previous_digest, seq, now, name, verb, target, text)
        sql.execute(queries.INSERT_EVENT, project.pk, seq, now, user_id, name, verb, target, text, digest)
        sql.execute(queries.SET_HEAD_DIGEST, digest, project.pk)


def _advance_head(project: Project) -> tuple[str, int]:
    """Lock the chain until the commit. Returns the last digest and the number of the next event."""
    rows = sql.fetch_rows(queries.ADVANCE_HEAD, project.pk)
    if not rows:
        AuditHead.objects.bulk_create([AuditHead(project=project)], ignore_conflicts=True)
        rows = sql.fetch_rows(queries.ADVANCE_HEAD, project.pk)
    return rows[0]


def get_actor_name(actor: User | str) -> str:
    """The actor as text: a username, or the name of a program."""
    return actor.username if isinstance(actor, User) else actor


def find_first_broken(project: Project) -> int | None:
    """Return the number of the first event that was edited, removed, moved or inserted; None if the chain is intact."""
    head = AuditHead.objects.filter(project=project).first()
    previous_digest, expected_seq, head_state = "", 1, (head.seq, head.digest) if head else (0, "")
    # Read events and head in one statement: an event that is recorded meanwhile is in both or in neither.
    events = AuditEvent.objects.filter(project=project).annotate(
        head_seq=F("project__audit_head__seq"), head_digest=F("project__audit_head__digest")
    )
    for event in events.order_by("seq").iterator():
        if event.seq != expected_seq or event.digest != event.compute_digest(previous_digest):
            return expected_seq
        previous_digest, expected_seq = event.digest, expected_seq + 1
        head_state = (event.head_seq, event.head_digest)
    return None if head_state == (expected_seq - 1, previous_digest) else expected_seq
