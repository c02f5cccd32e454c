"""The members of a project: roles, deactivating, removing. A project always keeps an admin."""

from django.db import transaction

from reviewapp.accounts.admins import lock_project, require_other_admin
from reviewapp.accounts.models import Membership, Role, User
from reviewapp.accounts.sessions import end_sessions
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.keys.models import AccessToken
from reviewapp.keys.tokens import revoke_token
from reviewapp.lib import clock
from reviewapp.people.models import AccountLink, is_usable
from reviewapp.queues.models import QueueItem


def change_role(membership: Membership, role: str, actor: User | str) -> bool:
    """Give a member another role. Returns False if they have it. Raises LastAdminError, Membership.DoesNotExist."""
    with transaction.atomic():
        current = _lock(membership)
        if current.role == role:
            return False
        if role != Role.ADMIN:
            require_other_admin(current)
        before = current.role
        Membership.objects.filter(pk=current.pk).update(role=role)
        record(current.project, actor, "changed role", _target(current), before=before, after=role)
    return True


def deactivate(membership: Membership, actor: User | str) -> bool:
    """Take a member's access at once; their reviews stay. Returns False if they have none.

    Who has no other project cannot sign in any more. Raises LastAdminError, Membership.DoesNotExist.
    """
    with transaction.atomic():
        current = _lock(membership)
        if not current.is_active:
            return False
        require_other_admin(current)
        Membership.objects.filter(pk=current.pk).update(is_active=False)
        if not Membership.objects.filter(user=current.user, is_active=True).exists():
            User.objects.filter(pk=current.user_id).update(is_active=False)
        _end_access(current, actor)
        record(current.project, actor, "deactivated person", _target(current), role=current.role)
    return True


def reactivate(membership: Membership, actor: User | str) -> bool:
    """Give a deactivated member their access back. Returns False if they have it. Raises Membership.DoesNotExist."""
    with transaction.atomic():
        current = _lock(membership)
        if current.is_active:
            return False
        Membership.objects.filter(pk=current.pk).update(is_active=True)
        User.objects.filter(pk=current.user_id).update(is_active=True)
        record(current.project, actor, "reactivated person", _target(current), role=current.role)
    return True


def remove(membership: Membership, actor: User | str) -> None:
    """Remove a member; their reviews stay under their name. Raises LastAdminError, Membership.DoesNotExist."""
    with transaction.atomic():
        current = _lock(membership)
        require_other_admin(current)
        _end_access(current, actor)
        Membership.objects.filter(pk=current.pk).delete()
        record(current.project, actor, "removed person", _target(current), role=current.role)


def _lock(membership: Membership) -> Membership:
    """Lock the project and the person. Returns the membership as it is now. Raises Membership.DoesNotExist."""
    lock_project(membership.project)
    # Two projects that take the last access at the same time must see each other.
    User.objects.select_for_update(no_key=True).get(pk=membership.user_id)
    return Membership.objects.select_related("project", "user").get(pk=membership.pk)


def _end_access(membership: Membership, actor: User | str) -> None:
    """End the person's sessions, and what they hold in the project: claims, access tokens and links."""
    project, user = membership.project, membership.user
    end_sessions(user)
    QueueItem.objects.filter(queue__project=project, claimed_by=user).update(claimed_by=None, claimed_until=None)
    name = get_actor_name(user)
    tokens = AccessToken.objects.filter(project=project, created_by=name, revoked_at=None)
    for token in tokens.select_related("project"):
        revoke_token(token, actor)
    AccountLink.objects.filter(is_usable(), project=project, made_by=name).update(revoked_at=clock.now())


def _target(membership: Membership) -> str:
    return f"person:{membership.user.username}"
