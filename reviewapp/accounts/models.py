"""People, projects, and who may do what in which."""

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import make_password
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

SLUG = RegexValidator(r"^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?\Z", "Use small letters, digits and hyphens, 62 at most.")
USERNAME = RegexValidator(r"^[\w.@+-]{1,80}\Z", "Use letters, digits and . @ + - _ only, 80 at most.")


class People(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: object) -> "User":
        return self.create(username=username, password=make_password(password), **fields)


class User(AbstractBaseUser):
    """A person who signs in. What they may do stands in their memberships."""

    username = models.CharField(max_length=80, unique=True, validators=[USERNAME])
    name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)

    objects = People()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.username


class FailedSignIn(models.Model):
    """How often signing in went wrong lately, by name and address: what slows guessing down."""

    subject = models.CharField(max_length=200, unique=True)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()


class PersonalData(models.TextChoices):
    """What a project wants done before notes with personal data or secrets in them are pushed."""

    WARN = "tell", "point at it, the reviewer decides"
    REQUIRE = "require", "ask each time: send, mask, or keep here"
    OFF = "off", "do not look"


class Project(models.Model):
    """One Laminar project, and everything reviewed in it. Nothing crosses from one to another."""

    slug = models.CharField(max_length=62, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    base_url = models.CharField(max_length=300)
    ui_url = models.CharField(max_length=300, blank=True)
    # Laminar's own id of the project, learnt from GET /v1/project: deep links need it.
    laminar_id = models.UUIDField(null=True, blank=True)
    # What happens when what a reviewer writes seems to hold personal data or a secret.
    personal_data = models.CharField(
        max_length=10, choices=PersonalData.choices, default=PersonalData.WARN, db_default=PersonalData.WARN
    )
    # How fast Laminar may be pushed to, in pushes a second by all workers together; null: as fast as it answers.
    push_limit = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    def trace_url(self, trace_id: uuid.UUID) -> str:
        """The trace's page in Laminar; empty while the project's UI address or id is not known."""
        return f"{self.traces_url}/{trace_id}" if self.traces_url else ""

    @property
    def traces_url(self) -> str:
        """The list of traces in Laminar; empty while the project's UI address or id is not known."""
        if not self.ui_url or self.laminar_id is None:
            return ""
        return f"{self.ui_url}/project/{self.laminar_id}/traces"


class Role(models.TextChoices):
    REVIEWER = "reviewer", "reviewer"
    LEAD = "lead", "lead"
    ADMIN = "admin", "admin"


_RANK = {Role.REVIEWER: 0, Role.LEAD: 1, Role.ADMIN: 2}


class Membership(models.Model):
    """A person's role in a project. Each role may do all that the ones before it may."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_role_per_person_and_project"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_is_known"),
        ]

    def has_role(self, role: str) -> bool:
        """Whether this membership allows what `role` allows."""
        return _RANK[Role(self.role)] >= _RANK[Role(role)]

    @property
    def is_lead(self) -> bool:
        return self.has_role(Role.LEAD)

    @property
    def is_admin(self) -> bool:
        return self.has_role(Role.ADMIN)
