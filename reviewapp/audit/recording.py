"""Write an act down, and prove that nobody rewrote one."""

from typing import Any

from django.db import transaction
from django.db.models import F

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent, AuditHead, seal
from reviewapp.lib import canonical_json, clock, sql

_MOVE_HEAD = "UPDATE reviewapp_audithead SET seq = seq + 1 WHERE project_id = %s RETURNING digest, seq"
_SEAL_HEAD = "UPDATE reviewapp_audithead SET digest = %s WHERE project_id = %s"
_ADD_EVENT = """
    INSERT INTO reviewapp_auditevent (project_id, seq, at, actor_id, actor_name, verb, target, detail, digest)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def record(project: Project, actor: User | str, verb: str, target: str, **detail: Any) -> None:
    """Append one event to the project's chain, in the transaction of the act itself.

    Call it last in that transaction: the head's row is locked from here to the commit.
    `actor` is a person, or the name of what acted for none (`worker`, `command`, `token:ci`).
    """
    with transaction.atomic(savepoint=False):
        before, seq = _next_place(project)
        person = actor.pk if isinstance(actor, User) else None
        at, name, text = clock.now(), get_actor_name(actor), canonical_json.dumps(detail)
        digest = seal(before, seq, at, name, verb, target, text)
        sql.execute(_ADD_EVENT, project.pk, seq, at, person, name, verb, target, text, digest)
        sql.execute(_SEAL_HEAD, digest, project.pk)


def _next_place(project: Project) -> tuple[str, int]:
    """The digest at the end of the chain and the number of the event to come; the chain is ours until the commit."""
    found = sql.fetch_rows(_MOVE_HEAD, project.pk)
    if not found:
        AuditHead.objects.bulk_create([AuditHead(project=project)], ignore_conflicts=True)
        found = sql.fetch_rows(_MOVE_HEAD, project.pk)
    return found[0]


def get_actor_name(actor: User | str) -> str:
    """Who acted, as the record keeps it: a username, or the name of what acted for nobody."""
    return actor.username if isinstance(actor, User) else actor


def find_first_broken(project: Project) -> int | None:
    """The place of the first event that was edited, removed, swapped or put in; None when the chain holds."""
    head = AuditHead.objects.filter(project=project).first()
    before, expected, end = "", 1, (head.seq, head.digest) if head else (0, "")
    # Events and head in one statement: an act recorded at this moment is in both or in neither.
    events = AuditEvent.objects.filter(project=project).annotate(
        head_seq=F("project__audit_head__seq"), head_digest=F("project__audit_head__digest")
    )
    for event in events.order_by("seq").iterator():
        if event.seq != expected or event.digest != event.compute_digest(before):
            return expected
        before, expected, end = event.digest, expected + 1, (event.head_seq, event.head_digest)
    return None if end == (expected - 1, before) else expected
