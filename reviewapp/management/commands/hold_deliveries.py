"""`manage.py hold_deliveries`: push nothing until a person has looked."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from reviewapp.accounts.models import Project
from reviewapp.delivery.restore_guard import pause_delivery, projects_with_unfinished_patches
from reviewapp.management.project_lookup import get_project


class Command(BaseCommand):
    help = "Hold what waits for Laminar, after a backup was restored: nothing is pushed until it is released."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="this one only; without it every project with deliveries on their way")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = projects_with_unfinished_patches()
        if options["project"] is not None:
            projects = Project.objects.filter(pk=get_project(options["project"]).pk)
        self.stdout.write(
            f"{pause_delivery(projects, 'command')} held. An admin looks at Deliveries, and sends or leaves out."
        )
