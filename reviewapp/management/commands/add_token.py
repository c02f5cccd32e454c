"""`manage.py add_token`: an access token for a machine."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reviewapp.keys.tokens import create_token
from reviewapp.management.project_lookup import get_project


class Command(BaseCommand):
    help = "Make an access token for the API of a project; it is printed this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--project", required=True)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        project, name = get_project(options["project"]), options["name"].strip()
        if not name or len(name) > 80 or not name.isprintable():
            raise CommandError("Give the token a name of 80 characters at most. Nothing was made.")
        token = create_token(project, name, "command")
        if options["json"]:
            self.stdout.write(json.dumps({"name": name, "project": project.slug, "access_token": token}))
        else:
            self.stdout.write(f"Access token of {project.slug}, shown this once: {token}")
