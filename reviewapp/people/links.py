"""Invites and reset links: made by an admin, used once, shown once."""

from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.accounts.sessions import end_sessions
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import clock, names
from reviewapp.people.models import AccountLink, is_usable
from reviewapp.people.trail import record_for_person

INVITE_DAYS = (1, 7, 30)
RESET_LIFETIME = timedelta(hours=24)
USED = "This link was used, revoked, or has expired. Nothing was changed. Ask an admin of the project for a new one."


class LinkError(Exception):
    """The link cannot be used or made; the message is a sentence for the user."""


def make_invite(project: Project, role: str, days: int, actor: User | str, email: str = "") -> str:
    """Make a link by which somebody joins the project. Returns its secret, which cannot be read again."""
    link = AccountLink(kind=AccountLink.Kind.INVITE, project=project, role=role, email=email)
    return _make(link, timedelta(days=days), actor, "invited person", role=role, days=days)


def make_reset(membership: Membership, actor: User) -> str:
    """Make a link that sets a member's password; earlier ones end. Returns its secret. Raises LinkError.

    Whoever has it has the person's access, so its maker must be an admin wherever the person has a role.
    """
    own = Membership.objects.filter(user=actor, role=Role.ADMIN, is_active=True).values("project")
    if Membership.objects.filter(user=membership.user).exclude(project__in=own).exists():
        raise LinkError(
            "No link was made: you are not an admin of everything this person can see. Ask the operator to run"
            " manage.py reset_password."
        )
    return make_reset_link(membership.project, membership.user, actor)


def make_reset_link(project: Project, user: User, actor: User | str) -> str:
    """Make a link that sets the person's password, without asking who may. Returns its secret."""
    AccountLink.objects.filter(is_usable(), kind=AccountLink.Kind.RESET, user=user).update(revoked_at=clock.now())
    link = AccountLink(kind=AccountLink.Kind.RESET, project=project, user=user)
    return _make(link, RESET_LIFETIME, actor, "made password link", person=user.username)


def get_path(secret: str) -> str:
    """The path of the page that uses a link."""
    return reverse("accounts:link", args=[secret])


def find_link(secret: str) -> AccountLink | None:
    """The link with this secret that can be used now, or None."""
    links = AccountLink.objects.filter(is_usable(), digest=AccountLink.hash_secret(secret))
    return links.select_related("project", "user").first()


def revoke_link(link: AccountLink, actor: User) -> bool:
    """End a link that was not used. Returns False if it has ended."""
    with transaction.atomic():
        if not AccountLink.objects.filter(is_usable(), pk=link.pk).update(revoked_at=clock.now()):
            return False
        record(link.project, actor, "revoked link", f"link:{link.pk}", kind=link.kind)
    return True


def join(link: AccountLink, user: User) -> None:
    """Make the person a member by an invite. Raises LinkError."""
    with transaction.atomic():
        _use(link, user)
        membership, is_new = Membership.objects.get_or_create(
            project=link.project, user=user, defaults={"role": Role(link.role)}
        )
        if not is_new:
            word = "are a member of the project already" if membership.is_active else "were deactivated in the project"
            raise LinkError(f"You {word}. Nothing was changed. An admin can change your role on the People page.")
        record(link.project, user, "joined", f"person:{user.username}", role=link.role, invited_by=link.made_by)


def sign_up(link: AccountLink, username: str, name: str, password: str) -> User:
    """Make a new person and member by an invite. Raises ValidationError by field, LinkError."""
    username = check_account(username, name, password, link.email).username
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, password, name=name, email=link.email)
            join(link, user)
    except IntegrityError:
        raise ValidationError({"username": "Somebody else has just taken this name. Choose another."}) from None
    return user


def check_account(username: str, name: str, password: str, email: str = "") -> User:
    """Return the person who can be created with these values, not saved. Raises ValidationError by field."""
    username = User.normalize_username(username)
    user = User(username=username, name=name, email=email)
    errors: dict[str, list[str]] = {}
    try:
        user.clean_fields(exclude=["username_key", "password"])
        names.validate_distinct(username, User.objects.values_list("username", flat=True))
    except ValidationError as error:
        errors |= error.message_dict if hasattr(error, "error_dict") else {"username": error.messages}
    try:
        validate_password(password, user)
    except ValidationError as error:
        errors["password"] = error.messages
    if errors:
        raise ValidationError(errors)
    return user


def set_password_by_link(link: AccountLink, password: str) -> None:
    """Set the password of the link's person, and end their sessions. Raises ValidationError, LinkError."""
    if link.user is None:
        raise LinkError(USED)
    validate_password(password, link.user)
    with transaction.atomic():
        _use(link, link.user)
        User.objects.filter(pk=link.user.pk).update(password=make_password(password))
        end_sessions(link.user)
        record_for_person(link.user, link.user, "set password", link_of=link.made_by)


def _use(link: AccountLink, user: User) -> None:
    """Raises LinkError if it is not the first use."""
    if not AccountLink.objects.filter(is_usable(), pk=link.pk).update(used_at=clock.now(), user=user):
        raise LinkError(USED)


def _make(link: AccountLink, lifetime: timedelta, actor: User | str, verb: str, **detail: object) -> str:
    secret, now = AccountLink.generate_secret(), clock.now()
    link.digest, link.made_by = AccountLink.hash_secret(secret), get_actor_name(actor)
    link.made_at, link.expires_at = now, now + lifetime
    with transaction.atomic():
        link.save(force_insert=True)
        record(link.project, actor, verb, f"link:{link.pk}", **detail)
    return secret
