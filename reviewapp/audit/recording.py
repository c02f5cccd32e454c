"""Write an act down, and prove that nobody rewrote one."""

from typing import Any

from django.db import transaction
from django.db.models import F

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent, AuditHead, seal
from reviewapp.lib import canonical_json, clock


def record(project: Project, actor: User | str, verb: str, target: str, **detail: Any) -> None:
    """Append one event to the project's chain, in the transaction of the act itself.

    Call it last in that transaction: the head's row is locked from here to the commit.
    `actor` is a person, or the name of what acted for none (`worker`, `command`, `token:ci`).
    """
    with transaction.atomic(savepoint=False):
        head = AuditHead.objects.select_for_update().filter(project=project).first()
        if head is None:
            AuditHead.objects.bulk_create([AuditHead(project=project)], ignore_conflicts=True)
            head = AuditHead.objects.select_for_update().get(project=project)
        person = actor if isinstance(actor, User) else None
        name = name_of(actor)
        at, seq, text = clock.now(), head.seq + 1, canonical_json.dumps(detail)
        digest = seal(head.digest, seq, at, name, verb, target, text)
        AuditEvent.objects.create(
            project=project, seq=seq, at=at, actor=person, actor_name=name,
            verb=verb, target=target, detail=text, digest=digest,
        )  # fmt: skip
        AuditHead.objects.filter(pk=head.pk).update(seq=seq, digest=digest)


def name_of(actor: User | str) -> str:
    """Who acted, as the record keeps it: a username, or the name of what acted for nobody."""
    return actor.username if isinstance(actor, User) else actor


def first_broken(project: Project) -> int | None:
    """The place of the first event that was edited, removed, swapped or put in; None when the chain holds."""
    head = AuditHead.objects.filter(project=project).first()
    before, expected, end = "", 1, (head.seq, head.digest) if head else (0, "")
    # Events and head in one statement: an act recorded at this moment is in both or in neither.
    events = AuditEvent.objects.filter(project=project).annotate(
        head_seq=F("project__audit_head__seq"), head_digest=F("project__audit_head__digest")
    )
    for event in events.order_by("seq").iterator():
        if event.seq != expected or event.digest != event.sealed(before):
            return expected
        before, expected, end = event.digest, expected + 1, (event.head_seq, event.head_digest)
    return None if end == (expected - 1, before) else expected
