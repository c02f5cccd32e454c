"""The audit log: append-only, each event chained to the one before it by a digest and sealed with a key.

Whoever can write to the database can make a chain of digests anew, but no seals: AUDIT_KEY is not in the database.
"""

import hashlib
import hmac
import json
from datetime import datetime

from django.conf import settings
from django.db import models

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock


class AuditHead(models.Model):
    """The end of a project's chain. Locking this row serialises new events."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="audit_head")
    seq = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")


class AuditEvent(models.Model):
    """One action: who did what to what, and the digest that reveals later changes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="audit_events")
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    # A copy as text: the event must read the same after the user is deleted.
    actor_name = models.CharField(max_length=120)
    verb = models.CharField(max_length=40)
    target = models.CharField(max_length=120)
    detail = models.TextField(default="{}")
    digest = models.CharField(max_length=64)
    # HMAC of everything above; empty for an event of a version without seals, until `manage.py seal_audit`.
    seal = models.CharField(max_length=64, default="", db_default="")
    # The actor's primary key, which is sealed: `actor` becomes null when the user is deleted.
    sealed_actor = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "seq"], name="one_event_per_place_in_the_chain")]
        indexes = [models.Index(fields=["project", "target"], name="audit_by_target")]

    def compute_digest(self, previous_digest: str) -> str:
        """SHA-256 of this event's content and the previous digest, in hex."""
        return compute_digest(previous_digest, self.seq, self.at, self.actor_name, self.verb, self.target, self.detail)

    def compute_seal(self, previous_digest: str) -> str:
        """The seal of this event, in hex: it covers the digest, the previous one, the project and the actor."""
        return compute_seal(previous_digest, self.digest, self.project_id, self.sealed_actor)


def compute_digest(
    previous_digest: str, seq: int, at: datetime, actor_name: str, verb: str, target: str, detail: str
) -> str:
    # json.dumps accepts any text a database may hold: a row that was forged by hand must not break the check.
    content = json.dumps([previous_digest, seq, clock.iso(at), actor_name, verb, target, detail])
    return hashlib.sha256(content.encode()).hexdigest()


def compute_seal(previous_digest: str, digest: str, project_id: int, actor_id: int | None) -> str:
    # The digest is a hash of all other columns.
    content = json.dumps([previous_digest, digest, project_id, actor_id])
    return compute_hmac("event", content)


def compute_hmac(purpose: str, content: str) -> str:
    """HMAC-SHA-256 with AUDIT_KEY, in hex."""
    return hmac.digest(settings.AUDIT_KEY.encode(), f"{purpose}:{content}".encode(), "sha256").hex()


class RefusedAccess(models.Model):
    """How often a person was refused in a project since the worker last recorded it: one event for many requests.

    The project is a slug, because a person may try one that does not exist; both take the same time.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    slug = models.CharField(max_length=62)
    status = models.PositiveSmallIntegerField()
    route = models.CharField(max_length=80)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "slug"], name="one_count_per_person_and_slug")]
