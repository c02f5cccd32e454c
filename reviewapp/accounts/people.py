"""Add people to a project."""

import secrets

from django.db import transaction

from reviewapp.accounts.models import Membership, Project, Role, User


def new_password() -> str:
    """Generate a password: 20 letters and digits, without those that look alike."""
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(letters) for _ in range(20))


def add_person(username: str, project: Project, role: str) -> tuple[User, str]:
    """Add or change a member. Returns the user, and a new user's password (empty for an existing one).

    Raises ValidationError for an invalid username or role.
    """
    # The sign-in form normalizes what is typed in the same way.
    username = User.normalize_username(username)
    User(username=username).clean_fields(exclude=["password"])
    Membership(role=role).clean_fields(exclude=["project", "user"])
    existing = User.objects.filter(username=username).first()
    with transaction.atomic():
        password = "" if existing else new_password()
        user = existing or User.objects.create_user(username, password)
        Membership.objects.update_or_create(project=project, user=user, defaults={"role": Role(role)})
    return user, password
