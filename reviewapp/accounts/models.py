"""Users, projects and roles."""

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import make_password
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from reviewapp.accounts.preferences import Preferences, parse_preferences
from reviewapp.lib import names
from reviewapp.lib.names import KEY_LENGTH, validate_readable

SLUG = RegexValidator(r"^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?\Z", "Use small letters, digits and hyphens, 62 at most.")
USERNAME = RegexValidator(r"^[\w.@+-]{1,80}\Z", "Use letters, digits and . @ + - _ only, 80 at most.")


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: object) -> "User":
        key = names.fold_name(username)
        return self.create(username=username, username_key=key, password=make_password(password), **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user of this name in any case; an exact spelling comes first. Raises User.DoesNotExist.

        Users from before names had to differ in more than case are found by their exact spelling.
        """
        username = username or ""
        matches = self.filter(Q(username=username) | Q(username_key=names.fold_name(username)))
        user = min(matches, key=lambda match: match.username != username, default=None)
        if user is None:
            raise self.model.DoesNotExist
        return user


class User(AbstractBaseUser):
    """A person who signs in. Their memberships decide what they may do."""

    username = models.CharField(max_length=80, unique=True, validators=[USERNAME, validate_readable])
    # `names.fold_name` of the username: no two people have names that differ in case only. Null until
    # `name_keys.set_missing_keys` if code from before the column made the row.
    username_key = models.CharField(max_length=KEY_LENGTH, null=True)
    name = models.CharField(max_length=120, blank=True, validators=[validate_readable])
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)
    # `preferences.dump_preferences`; members that are missing have their defaults.
    preferences_json = models.TextField(default="{}", db_default="{}")

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(fields=["username_key"], name="one_person_per_name")]

    def __str__(self) -> str:
        return self.name or self.username

    @property
    def preferences(self) -> Preferences:
        return parse_preferences(self.preferences_json)


class FailedSignIn(models.Model):
    """Recent failed sign-ins per username and address, to throttle guessing."""

    subject = models.CharField(max_length=200, unique=True)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()


class PersonalData(models.TextChoices):
    """What happens before a review with personal data or secrets is pushed."""

    WARN = "tell", "warn, and let the reviewer decide"
    REQUIRE = "require", "ask each time: send, mask or keep here"
    OFF = "off", "do not check"


class Project(models.Model):
    """A Laminar project and all its reviews. Projects share no data."""

    slug = models.CharField(max_length=62, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120, validators=[validate_readable])
    # As `User.username_key`.
    name_key = models.CharField(max_length=KEY_LENGTH, null=True)
    base_url = models.CharField(max_length=300)
    ui_url = models.CharField(max_length=300, blank=True)
    # Laminar's id of the project, from GET /v1/project; needed for deep links.
    laminar_id = models.UUIDField(null=True, blank=True)
    # What happens if a review seems to contain personal data or a secret.
    personal_data = models.CharField(
        max_length=10, choices=PersonalData.choices, default=PersonalData.WARN, db_default=PersonalData.WARN
    )
    # Maximum pushes per second to Laminar, across all workers; null for no limit.
    push_limit = models.PositiveSmallIntegerField(null=True, blank=True)
    # The events that webhooks of the project ask for, with spaces between: without any, a save asks for no webhooks.
    webhook_events = models.CharField(max_length=400, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name_key"], name="one_project_per_name")]

    def __str__(self) -> str:
        return self.name

    def trace_url(self, trace_id: uuid.UUID) -> str:
        """The trace's page in Laminar; empty if the project's UI URL or id is unknown."""
        return f"{self.traces_url}/{trace_id}" if self.traces_url else ""

    @property
    def traces_url(self) -> str:
        """The list of traces in Laminar; empty if the project's UI URL or id is unknown."""
        if not self.ui_url or self.laminar_id is None:
            return ""
        return f"{self.ui_url}/project/{self.laminar_id}/traces"


class Role(models.TextChoices):
    REVIEWER = "reviewer", "reviewer"
    LEAD = "lead", "lead"
    ADMIN = "admin", "admin"


_RANK = {Role.REVIEWER: 0, Role.LEAD: 1, Role.ADMIN: 2}


class Membership(models.Model):
    """A user's role in a project. Each role includes the ones before it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    # A deactivated member has no access; their reviews stay.
    is_active = models.BooleanField(default=True, db_default=True)
    # How many unread notifications this person has in the project. Here, so that no page needs a query for it.
    inbox_count = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_role_per_person_and_project"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_is_known"),
        ]

    def has_role(self, role: str) -> bool:
        """Whether this role is `role` or a higher one."""
        return _RANK[Role(self.role)] >= _RANK[Role(role)]

    @property
    def is_lead(self) -> bool:
        return self.has_role(Role.LEAD)

    @property
    def is_admin(self) -> bool:
        return self.has_role(Role.ADMIN)
