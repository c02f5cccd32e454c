"""The audit log: append-only, each event chained to the one before it by a digest."""

import hashlib
import json
from datetime import datetime

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

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "seq"], name="one_event_per_place_in_the_chain")]
        indexes = [models.Index(fields=["project", "target"], name="audit_by_target")]

    def compute_digest(self, previous_digest: str) -> str:
        """SHA-256 of this event's content and the previous digest, in hex."""
        return compute_digest(previous_digest, self.seq, self.at, self.actor_name, self.verb, self.target, self.detail)


def compute_digest(
    previous_digest: str, seq: int, at: datetime, actor_name: str, verb: str, target: str, detail: str
) -> str:
    # json.dumps accepts any text a database may hold: a row that was forged by hand must not break the check.
    content = json.dumps([previous_digest, seq, clock.iso(at), actor_name, verb, target, detail])
    return hashlib.sha256(content.encode()).hexdigest()
