"""What several commands ask first."""

from django.core.management.base import CommandError

from reviewapp.accounts.models import Project


def get_project(slug: str) -> Project:
    """The project with this slug. Raises CommandError with what to do."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise CommandError(
            f"There is no project “{slug}”. Make it with manage.py connect_project. Nothing was changed."
        )
    return project
