"""A project's secrets: the Laminar key that we use, and the access tokens that we issue."""

import hashlib
import secrets
import uuid

from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import Project
from reviewapp.keys import encryption
from reviewapp.lib import canonical_json, clock


class LaminarKey(models.Model):
    """A project's Laminar key. After it is stored, only its last four characters and fingerprint are shown."""

    class Kind(models.TextChoices):
        FULL = "full", "full"
        INGEST_ONLY = "ingest-only", "ingest-only"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="laminar_keys")
    encrypted_secret = models.TextField(db_column="sealed")
    last_four = models.CharField(max_length=4)
    fingerprint = models.CharField(max_length=16)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    added_by = models.CharField(max_length=120)
    added_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    # Since then, the secret is erased here.
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(retired_at__isnull=True), name="one_laminar_key_in_use_per_project"
            )
        ]

    @classmethod
    def build_encrypted(cls, project: Project, secret: str, kind: str, added_by: str) -> "LaminarKey":
        """Build an unsaved key, its secret encrypted for its future row."""
        key = cls(project=project, kind=kind, added_by=added_by, last_four=secret[-4:], fingerprint=fingerprint(secret))
        key.encrypted_secret = encryption.encrypt(secret, key._bound_to)
        return key

    @property
    def secret(self) -> str:
        """Decrypt the key, for the call that needs it. Raises DecryptionError."""
        is_old = encryption.is_old(self.encrypted_secret)
        return encryption.decrypt(self.encrypted_secret, self._row_name if is_old else self._bound_to)

    def encrypt_again(self) -> str:
        """The secret encrypted with the first master key. Raises DecryptionError."""
        return encryption.encrypt(self.secret, self._bound_to)

    @property
    def master_id(self) -> str:
        """The id of the master key that encrypted this key."""
        return encryption.get_master_id(self.encrypted_secret)

    @property
    def has_master_key(self) -> bool:
        """Whether this process has that master key."""
        return any(master.id == self.master_id for master in encryption.load_master_keys())

    @property
    def can_read(self) -> bool:
        return self.kind == self.Kind.FULL

    @property
    def _row_name(self) -> str:
        return f"laminar-key:{self.project_id}:{self.pk}"

    @property
    def _bound_to(self) -> str:
        """Everything that must be unchanged for the key to be used: a changed base URL never gets it."""
        return canonical_json.dumps(["laminar-key", self.project_id, str(self.pk), self.project.base_url])


def fingerprint(secret: str) -> str:
    """Return sixteen hex digits that identify a key and reveal nothing about it."""
    return hashlib.sha256(b"fingerprint:" + secret.encode()).hexdigest()[:16]


class Scope(models.TextChoices):
    """What an access token may do."""

    READ = "read", "Read the delivery state of patches"
    QUEUE = "queue", "Add traces to queues"
    PATCH = "patch", "Push metadata, except the keys that reviews write"
    REVIEW_KEYS = "review-keys", "Push the keys that reviews write too"


class AccessToken(models.Model):
    """A machine's secret for our API. Only its SHA-256 is stored; 32 random bytes need no slow hash."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # The rate limit's window, as the number of windows since 1970, and the calls in it.
    call_window = models.BigIntegerField(default=0, db_default=0)
    call_count = models.PositiveIntegerField(default=0, db_default=0)
    # Calls a minute; null for API_CALLS_PER_MINUTE.
    call_limit = models.PositiveIntegerField(null=True, blank=True)
    # What it may do, `Scope` values separated by spaces.
    scopes = models.CharField(max_length=100, default="read queue patch", db_default="read queue patch")
    # The address of the last call.
    last_used_from = models.CharField(max_length=45, default="", db_default="")

    @staticmethod
    def hash_secret(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    @staticmethod
    def generate_secret() -> str:
        return f"rvw_{secrets.token_urlsafe(32)}"

    def has_scope(self, scope: str) -> bool:
        return scope in self.scopes.split()

    @property
    def scope_labels(self) -> list[str]:
        return [scope.label for scope in Scope if self.has_scope(scope)]

    @property
    def is_valid(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > clock.now())
