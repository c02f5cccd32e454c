"""`manage.py release_deliveries`: resume delivery after a pause."""

from argparse import ArgumentParser
from typing import Any

from django.template.defaultfilters import pluralize

from reviewapp.accounts.models import Project
from reviewapp.delivery.restore_guard import resume_delivery
from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project


class Command(DeskCommand):
    help = "Resume delivery to Laminar after a pause, for example once a restored backup has been checked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="only this project [every paused project]")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.exclude(breaker__paused_at=None).order_by("pk")
        if options["project"] is not None:
            projects = Project.objects.filter(pk=get_project(options["project"]).pk)
        count = sum(resume_delivery(project, get_command_actor()) for project in projects)
        self.stdout.write(
            f"Resumed delivery for {count} project{pluralize(count)}. A worker sends the waiting deliveries."
        )
