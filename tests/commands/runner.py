"""Call a command of manage.py as a shell does: arguments in, what it prints out."""

import json
from io import StringIO
from typing import Any

from django.core.management import call_command


def run_command(command: str, *arguments: str) -> str:
    """What the command prints. Raises CommandError, whose text the shell would show."""
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().strip()


def run_command_json(command: str, *arguments: str) -> Any:
    """The one JSON value that the command prints with --json."""
    return json.loads(run_command(command, *arguments, "--json"))
