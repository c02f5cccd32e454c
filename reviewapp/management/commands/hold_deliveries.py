"""`manage.py hold_deliveries`: pause delivery, for example after a restore."""

from argparse import ArgumentParser
from typing import Any

from django.template.defaultfilters import pluralize

from reviewapp.accounts.models import Project
from reviewapp.delivery.restore_guard import pause_delivery, projects_with_unfinished_deliveries
from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project


class Command(DeskCommand):
    help = "Pause delivery to Laminar, for example after a backup was restored. Nothing is sent until it is resumed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="only this project [every project with unfinished deliveries]")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = projects_with_unfinished_deliveries()
        if options["project"] is not None:
            projects = Project.objects.filter(pk=get_project(options["project"]).pk)
        count = pause_delivery(projects, get_command_actor())
        self.stdout.write(
            f"Paused delivery for {count} project{pluralize(count)}. An admin can resume it, or discard single"
            " deliveries, on the Deliveries page."
        )
