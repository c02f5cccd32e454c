"""Links by which the first person of a review desk signs up."""

from django.db import models


class SetupLink(models.Model):
    """A link for one use that makes the first admin. Only the SHA-256 of its secret is stored.

    All links end once there is a person.
    """

    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
