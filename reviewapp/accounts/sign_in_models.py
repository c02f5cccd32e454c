"""Sessions of signed-in people, and the history of their sign-ins."""

from django.db import models

from reviewapp.accounts.models import User

ADDRESS_LENGTH, DEVICE_LENGTH = 45, 200


class Session(models.Model):
    """A browser's session. The cookie holds its id, the row only its SHA-256: a copy of the table signs in nobody."""

    digest = models.CharField(max_length=64, primary_key=True)
    data = models.TextField()
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    # When the password was last typed again; `created_at` is when it was typed first.
    confirmed_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=ADDRESS_LENGTH, blank=True)
    device = models.CharField(max_length=DEVICE_LENGTH, blank=True)


class SignIn(models.Model):
    """A sign-in, or what else happened to a person's access. Repeated failures are counted in one row."""

    class Outcome(models.TextChoices):
        SIGNED_IN = "signed in", "Signed in"
        FAILED = "failed", "Failed"
        SIGNED_OUT = "signed out", "Signed out"

    # Null for the names of nobody: what was typed is not kept, it may be a password.
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sign_ins", db_index=False)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    address = models.CharField(max_length=ADDRESS_LENGTH, blank=True)
    device = models.CharField(max_length=DEVICE_LENGTH, blank=True)
    started_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["user", "last_at"], name="sign_ins_of_a_person")]
