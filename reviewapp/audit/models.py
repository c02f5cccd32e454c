"""The record of acts: append-only, each event sealed to the one before it."""

import hashlib
import json
from datetime import datetime

from django.db import models

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock


class AuditHead(models.Model):
    """Where a project's chain ends; locking it gives each event its place."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="audit_head")
    seq = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")


class AuditEvent(models.Model):
    """One act: who did what to what, and the digest that makes a later change show."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="audit_events")
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    # Kept as text: the event must read the same after the person is gone.
    actor_name = models.CharField(max_length=120)
    verb = models.CharField(max_length=40)
    target = models.CharField(max_length=120)
    detail = models.TextField(default="{}")
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "seq"], name="one_event_per_place_in_the_chain")]
        indexes = [models.Index(fields=["project", "target"], name="audit_by_target")]

    def compute_digest(self, before: str) -> str:
        """The SHA-256 hex of this event's content and of the digest before it."""
        return seal(before, self.seq, self.at, self.actor_name, self.verb, self.target, self.detail)


def seal(before: str, seq: int, at: datetime, actor_name: str, verb: str, target: str, detail: str) -> str:
    # Any text a database may hold: what was put in by hand is found, not stumbled over.
    content = json.dumps([before, seq, clock.iso(at), actor_name, verb, target, detail])
    return hashlib.sha256(content.encode()).hexdigest()
