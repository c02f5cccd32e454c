"""A project always keeps an admin who can sign in."""

from reviewapp.accounts.models import Membership, Project, Role

LAST_ADMIN = "This is the project's only admin. Nothing was changed. Make somebody else an admin first."


class LastAdminError(Exception):
    """The project would be left without an admin."""

    def __init__(self) -> None:
        super().__init__(LAST_ADMIN)


def lock_project(project: Project) -> Project:
    """Serialise changes of a project's people until the commit."""
    # no_key: audit events that are inserted meanwhile reference the project and must not wait.
    return Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def require_other_admin(membership: Membership) -> None:
    """Raises LastAdminError if this is the only admin who can sign in. The project must be locked."""
    if membership.role != Role.ADMIN or not membership.is_active:
        return
    admins = Membership.objects.filter(
        project=membership.project, role=Role.ADMIN, is_active=True, user__is_active=True
    )
    if not admins.exclude(pk=membership.pk).exists():
        raise LastAdminError
