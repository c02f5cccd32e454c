"""Take people into a project."""

import secrets

from django.db import transaction

from reviewapp.accounts.models import Membership, Project, Role, User


def new_password() -> str:
    """A password no one can guess, short enough to type: 20 letters and digits."""
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(letters) for _ in range(20))


def add_person(username: str, project: Project, role: str) -> tuple[User, str]:
    """A member of the project with this role; the password is made for somebody new and empty for somebody known.

    Raises ValidationError for a username or role that cannot be.
    """
    # The form people sign in by reads a name in this one spelling.
    username = User.normalize_username(username)
    User(username=username).clean_fields(exclude=["password"])
    Membership(role=role).clean_fields(exclude=["project", "user"])
    known = User.objects.filter(username=username).first()
    with transaction.atomic():
        password = "" if known else new_password()
        user = known or User.objects.create_user(username, password)
        Membership.objects.update_or_create(project=project, user=user, defaults={"role": Role(role)})
    return user, password
