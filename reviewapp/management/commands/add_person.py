"""`manage.py add_person`: add a person to a project."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction

from reviewapp.accounts.admins import LastAdminError, lock_project
from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.accounts.people import add_person
from reviewapp.audit.recording import record
from reviewapp.lib.invisible_chars import reveal
from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.command_errors import to_command_error
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project
from reviewapp.people import links


class Command(DeskCommand):
    help = "Add a person to a project, or change their role. Prints a generated password for a new person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--project", required=True)
        self.add_role(parser)
        parser.add_argument(
            "--link", action="store_true", help="print a link by which a new person sets their password, for 24 hours"
        )
        parser.add_argument(
            "--password-file", type=Path, metavar="FILE",
            help="write the password to this new file, which only you can read, and not to the terminal",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true")

    def add_role(self, parser: ArgumentParser) -> None:
        """Add the argument `role`."""
        parser.add_argument("--role", required=True, choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> None:
        project = get_project(options["project"])
        file: Path | None = options["password_file"]
        link = ""
        try:
            with transaction.atomic():
                lock_project(project)
                before = _get_role(project, options["username"])
                user, password = add_person(options["username"], project, options["role"])
                if options["link"] and password:
                    User.objects.filter(pk=user.pk).update(password=make_password(None))
                    password, link = "", links.get_path(links.make_reset_link(project, user, get_command_actor()))
                detail = {"role": options["role"]} if before is None else {"before": before, "after": options["role"]}
                verb = "added person" if before is None else "changed role"
                record(project, get_command_actor(), verb, f"person:{user.username}", **detail)
                # The person is not added if nobody could learn the password.
                if file is not None and password:
                    _write_password(file, password)
        except LastAdminError as error:
            raise CommandError(str(error)) from None
        except ValidationError as error:
            raise to_command_error(error) from None
        if options["json"]:
            printed = password if file is None else None
            result = {"username": user.username, "role": options["role"], "password": printed or None}
            if link:
                result["link"] = link
            self.stdout.write(json.dumps(result))
            return
        details = "The password was not changed."
        if password:
            details = f"Password: {password}" if file is None else f"The password is in {file}."
        if link:
            details = f"They set their password within 24 hours at {link} on the review desk."
        self.stdout.write(f"{reveal(user.username)} has the role {options['role']} in {project.slug}. {details}")


def _get_role(project: Project, username: str) -> str | None:
    """The role that the person has in the project, or None."""
    try:
        user = User.objects.get_by_natural_key(User.normalize_username(username))
    except User.DoesNotExist:
        return None
    return Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()


def _write_password(file: Path, password: str) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(
            f"Could not create {file}: {error.strerror}. Name a new file in a folder that you can write to. Nothing"
            " was changed."
        ) from None
    with os.fdopen(handle, "w") as text:
        text.write(f"{password}\n")
