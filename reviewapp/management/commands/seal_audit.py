"""`manage.py seal_audit`: seal the events that a version without seals recorded."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.template.defaultfilters import pluralize

from reviewapp.accounts.models import Project
from reviewapp.audit import verification
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project


class Command(DeskCommand):
    help = (
        "Seal the events of the audit logs that are not sealed, once after an upgrade from a version without seals,"
        " when all nodes are upgraded. It is recorded. An event whose digest is wrong is not sealed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="the slug of one project; all by default")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = [get_project(options["project"])] if options["project"] else list(Project.objects.order_by("slug"))
        broken = []
        for project in projects:
            try:
                count = verification.seal_old_events(project)
                self.stdout.write(f"{project.slug}: {count:,} event{pluralize(count)} sealed")
            except verification.BrokenChainError as error:
                broken.append(f"{project.slug}: {error}")
        if broken:
            raise CommandError(f"Not everything was sealed. {' '.join(broken)}")
