"""Record audit events."""

from typing import Any

from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit import queries
from reviewapp.audit.models import AuditHead, compute_digest, compute_seal
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
        seal = compute_seal(previous_digest, digest, project.pk, user_id)
        sql.execute(
            queries.INSERT_EVENT, project.pk, seq, now, user_id, name, verb, target, text, digest, seal, user_id
        )
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
