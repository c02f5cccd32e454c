"""`manage.py add_person`: add a person to a project."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from reviewapp.accounts.models import Role
from reviewapp.accounts.people import add_person
from reviewapp.audit.recording import record
from reviewapp.lib.invisible_chars import reveal
from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.command_errors import to_command_error
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project


class Command(DeskCommand):
    help = "Add a person to a project, or change their role. Prints a generated password for a new person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--project", required=True)
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        project = get_project(options["project"])
        try:
            with transaction.atomic():
                user, password = add_person(options["username"], project, options["role"])
                record(project, get_command_actor(), "added person", f"person:{user.username}", role=options["role"])
        except ValidationError as error:
            raise to_command_error(error) from None
        if options["json"]:
            result = {"username": user.username, "role": options["role"], "password": password or None}
            self.stdout.write(json.dumps(result))
            return
        details = f"Password: {password}" if password else "The password was not changed."
        self.stdout.write(f"{reveal(user.username)} has the role {options['role']} in {project.slug}. {details}")
