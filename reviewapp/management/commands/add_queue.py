"""`manage.py add_queue`: create a queue with the default settings or a preset."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError

from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.command_errors import to_command_error
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project
from reviewapp.queues.creating import create_queue
from reviewapp.queues.rubric.versions import PRESETS


class Command(DeskCommand):
    help = "Create a queue with a score from 0 to 1, or from a preset. A lead can change all settings in the browser."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--project", required=True)
        parser.add_argument("--name", default="")
        parser.add_argument("--preset", default="", choices=list(PRESETS))
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        project = get_project(options["project"])
        try:
            slug, name = options["slug"], options["name"] or options["slug"]
            queue = create_queue(project, slug, name, get_command_actor(), preset=options["preset"])
        except ValidationError as error:
            raise to_command_error(error) from None
        if options["json"]:
            self.stdout.write(json.dumps({"queue": queue.slug, "project": project.slug, "name": queue.name}))
        else:
            self.stdout.write(f"Created queue {queue.slug} in {project.slug}.")
