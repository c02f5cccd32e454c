"""Find the project that a command is for."""

from django.core.management.base import CommandError

from reviewapp.accounts.models import Project


def get_project(slug: str) -> Project:
    """Return the project with this slug. Raises CommandError."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise CommandError(
            f"There is no project “{slug}”. Create it with manage.py connect_project. Nothing was changed."
        )
    return project
