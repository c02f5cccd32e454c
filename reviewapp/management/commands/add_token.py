"""`manage.py add_token`: create an access token for the API."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from reviewapp.keys.tokens import create_token, find_name_error
from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project


class Command(DeskCommand):
    help = "Create an access token for a project's API. It is printed only once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--project", required=True)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        project, name = get_project(options["project"]), options["name"].strip()
        if error := find_name_error(name):
            raise CommandError(f"{error} No token was created.")
        token = create_token(project, name, get_command_actor())
        if options["json"]:
            self.stdout.write(json.dumps({"name": name, "project": project.slug, "access_token": token}))
        else:
            self.stdout.write(f"Access token for {project.slug} (shown only once): {token}")
