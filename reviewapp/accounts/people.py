"""Add people to a project."""

import secrets

from django.db import transaction

from reviewapp.accounts.admins import lock_project, require_other_admin
from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.lib import names


def new_password() -> str:
    """Generate a password: 20 letters and digits, without those that look alike."""
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(letters) for _ in range(20))


def add_person(username: str, project: Project, role: str) -> tuple[User, str]:
    """Add, change or reactivate a member. Returns the user, and a new user's password (empty for an existing one).

    A username in another case is that of the existing user. Raises ValidationError for an invalid username or role, and
    for a new username that looks like an existing one; LastAdminError.
    """
    # The sign-in form normalizes what is typed in the same way.
    username = User.normalize_username(username)
    User(username=username).clean_fields(exclude=["username_key", "password"])
    Membership(role=role).clean_fields(exclude=["project", "user"])
    with transaction.atomic():
        lock_project(project)
        existing = _find_user(username)
        if existing is None:
            names.validate_distinct(username, User.objects.values_list("username", flat=True))
        password = "" if existing else new_password()
        user = existing or User.objects.create_user(username, password)
        membership = Membership.objects.filter(project=project, user=user).first()
        if membership is not None and role != Role.ADMIN:
            require_other_admin(membership)
        values = {"role": Role(role), "is_active": True}
        Membership.objects.update_or_create(project=project, user=user, defaults=values)
        User.objects.filter(pk=user.pk, is_active=False).update(is_active=True)
    return user, password


def _find_user(username: str) -> User | None:
    try:
        return User.objects.get_by_natural_key(username)
    except User.DoesNotExist:
        return None
