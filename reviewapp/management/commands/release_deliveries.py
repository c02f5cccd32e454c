"""`manage.py release_deliveries`: send what was held after a restore."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from reviewapp.accounts.models import Project
from reviewapp.delivery.restore_guard import resume_delivery
from reviewapp.management.project_lookup import get_project


class Command(BaseCommand):
    help = "Send what was held after a backup was restored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="this one only; without it every project that is held")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.exclude(breaker__paused_at=None).order_by("pk")
        if options["project"] is not None:
            projects = Project.objects.filter(pk=get_project(options["project"]).pk)
        count = sum(resume_delivery(project, "command") for project in projects)
        self.stdout.write(f"{count} released. What waited is sent when a worker runs.")
