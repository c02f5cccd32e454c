"""Links that let somebody join a project, or set a new password."""

import hashlib
import secrets
from datetime import datetime

from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import Project, Role, User
from reviewapp.lib import clock


class AccountLink(models.Model):
    """A link for one use. Only the SHA-256 of its secret is stored; 32 random bytes need no slow hash."""

    class Kind(models.TextChoices):
        INVITE = "invite", "invite"
        RESET = "reset", "password reset"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="account_links")
    # An invite: the role that it gives.
    role = models.CharField(max_length=10, choices=Role.choices, blank=True)
    # A reset: whose password it sets. An invite: who used it.
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    email = models.EmailField(blank=True)
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.CharField(max_length=120)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    @staticmethod
    def generate_secret() -> str:
        return secrets.token_urlsafe(32)

    @staticmethod
    def hash_secret(secret: str) -> str:
        return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_usable(now: datetime | None = None) -> Q:
    """Links that can be used now."""
    return Q(used_at=None, revoked_at=None, expires_at__gt=now or clock.now())
