"""The base of our commands."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reviewapp.lib.invisible_chars import reveal


class DeskCommand(BaseCommand):
    """A command whose error messages cannot steer the terminal: hidden characters are shown by their code."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            raise CommandError(reveal(str(error)), returncode=error.returncode) from error.__cause__
