"""Calls of other programs that added traces, so that repeating one adds nothing twice."""

from django.db import models

from reviewapp.accounts.models import Project
from reviewapp.lib import clock


class IdempotentAdd(models.Model):
    """A call of another program that added traces under an idempotency key: repeating it returns the same result."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    idempotency_key = models.CharField(max_length=200)
    # Hash of the content, queue included: reusing the key for different content is an error.
    digest = models.CharField(max_length=64)
    added = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "idempotency_key"], name="one_add_per_key")]
