"""The base of our commands."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from reviewapp.lib.invisible_chars import reveal


class SafeArguments(BaseCommand):
    """A command whose errors about its arguments cannot steer the terminal."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Django chooses the parser's class itself.
        parser.error = lambda message: CommandParser.error(parser, _reveal(message))  # type: ignore[method-assign]
        return parser


class DeskCommand(SafeArguments):
    """A command whose output and errors cannot steer the terminal: hidden characters are shown by their code."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.stdout = _SafeOutput(options.pop("stdout", None) or sys.stdout)
        stderr = _SafeOutput(options.pop("stderr", None) or sys.stderr)
        stderr.style_func = self.style.ERROR
        self.stderr = stderr
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            raise CommandError(_reveal(str(error)), returncode=error.returncode) from error.__cause__


class _SafeOutput(OutputWrapper):
    def write(self, msg: str = "", *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        super().write(_reveal(msg), *args, **kwargs)


def _reveal(text: str) -> str:
    # A carriage return lets what follows overwrite the line.
    return reveal(text).replace("\r", "[U+000D]")
