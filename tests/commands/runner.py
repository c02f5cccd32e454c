"""Run a command of manage.py as from a shell, and return its output."""

import json
from io import StringIO
from typing import Any

from django.core.management import call_command


def run_command(command: str, *arguments: str) -> str:
    """Return what the command prints. Raises CommandError, with the text that a shell would show."""
    output = StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue().strip()


def run_command_json(command: str, *arguments: str) -> Any:
    """Return the JSON value that the command prints with --json."""
    return json.loads(run_command(command, *arguments, "--json"))
