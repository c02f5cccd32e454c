"""`manage.py tracestore`: run the embedded Laminar-compatible trace store in its own process."""

import os
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

import reviewapp
from reviewapp.lib.numbers import parse_int
from reviewapp.lib.shortening import shorten
from reviewapp.management.desk_command import DeskCommand


def _port(text: str) -> int:
    number = parse_int(text, max_value=65_535)
    if number is None:
        raise ArgumentTypeError(f"“{shorten(text, 20)}” is not a port. Use a number from 0 to 65535.")
    return number


class Command(DeskCommand):
    """Replaces itself with `python -m reviewapp.tracestore`, which does not load this application."""

    help = "Serve the embedded trace store, which has the same API as a Laminar server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=_port, required=True, help="0 chooses any free port")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--database", type=Path, help="SQLite file [tracestore.sqlite3 in DATA_DIR]")
        parser.add_argument(
            "--apply-delay", type=int, default=500, metavar="MS", help="delay before a patch is applied"
        )
        parser.add_argument("--keys-stdin", action="store_true", help="read a project and its keys from one JSON line")
        parser.add_argument("--json", action="store_true", help="print new keys as one JSON line")

    def handle(self, *args: Any, **options: Any) -> None:
        database = options["database"] or settings.DATA_DIR / "tracestore.sqlite3"
        arguments = [f"--port={options['port']}", f"--host={options['host']}", f"--database={database}"]
        arguments.append(f"--apply-delay={options['apply_delay']}")
        arguments += [f"--{name.replace('_', '-')}" for name in ("keys_stdin", "json") if options[name]]
        root = str(Path(reviewapp.__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        # glibc gives each thread its own heap. One is enough here and keeps the process small.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "1"}
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", "reviewapp.tracestore", *arguments], environment)  # noqa: S606
