"""`manage.py check_permissions`: find files that other users of the machine can open, and close them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from reviewapp.lib import private_files
from reviewapp.management.desk_command import DeskCommand
from reviewapp.web.settings_checks import find_open_paths


class Command(DeskCommand):
    help = "List what other users of this machine can open in DATA_DIR and SECRETS_DIR. Exits with 1 if there is any."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="take the rights of others away: 0700 and 0600")

    def handle(self, *args: Any, **options: Any) -> None:
        paths = find_open_paths()
        if not paths:
            self.stdout.write("Only the owner can open the files.")
            return
        if not options["fix"]:
            lines = "\n".join(str(path) for path in paths)
            raise CommandError(f"Other users can open these. Run again with --fix to close them:\n{lines}")
        try:
            private_files.restrict(paths)
        except OSError as error:
            raise CommandError(f"Could not close {error.filename}: {error.strerror}. Run this as its owner.") from None
        self.stdout.write(f"Closed {len(paths)}. Only the owner can open the files now.")
