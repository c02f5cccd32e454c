"""The one-time link that makes the first admin, printed on the terminal while there is no person."""

from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.urls import reverse

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.audit.recording import record
from reviewapp.lib import clock
from reviewapp.onboarding.models import SetupLink
from reviewapp.people.links import LinkError, check_account
from reviewapp.people.models import AccountLink

LIFETIME = timedelta(hours=24)
ENDED = (
    "This link was used or has expired. Nothing was changed. Restart the web app: it prints a new link as long as there"
    " is no person."
)


def make_setup_link() -> str:
    """Make a link for the first admin. Returns its path, empty if there is a person already.

    Links of other web nodes go on working: each prints its own.
    """
    if User.objects.exists():
        return ""
    secret = AccountLink.generate_secret()
    SetupLink.objects.create(digest=AccountLink.hash_secret(secret), expires_at=clock.now() + LIFETIME)
    return reverse("setup:link", args=[secret])


def describe_setup_link(origin: str) -> str:
    """Return lines for the terminal with a new link, empty if there is a person or the database cannot be used."""
    try:
        path = make_setup_link()
    except DatabaseError:
        # Migrations may be missing; /ready and the log say so.
        return ""
    if not path:
        return ""
    return f"Nobody can sign in yet. To create the first admin, open within 24 hours:\n\n  {origin}{path}\n"


def get_origin(bind: str) -> str:
    """Return scheme and host of this web app as people reach it; `bind` is its own address."""
    if settings.IS_PRODUCTION and settings.ALLOWED_HOSTS:
        return f"https://{settings.ALLOWED_HOSTS[0].lstrip('.')}"
    host, _, port = bind.rpartition(":")
    return f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 - compared only


def is_usable(secret: str) -> bool:
    """Whether this link can be used now."""
    links = SetupLink.objects.filter(digest=AccountLink.hash_secret(secret), used_at=None, expires_at__gt=clock.now())
    return links.exists() and not User.objects.exists()


def create_first_admin(secret: str, username: str, name: str, password: str) -> User:
    """Use the link: make the first person, an admin of each project that there is.

    Raises ValidationError by field, LinkError.
    """
    user = check_account(username, name, password)
    with transaction.atomic():
        # Serialise: two people with two links must not both become the first.
        list(SetupLink.objects.select_for_update().order_by("pk"))
        if not is_usable(secret):
            raise LinkError(ENDED)
        SetupLink.objects.filter(used_at=None).update(used_at=clock.now())
        user = User.objects.create_user(user.username, password, name=name)
        for project in Project.objects.order_by("pk"):
            Membership.objects.create(project=project, user=user, role=Role.ADMIN)
            record(project, user, "joined", f"person:{user.username}", role=Role.ADMIN, invited_by="setup link")
    return user
