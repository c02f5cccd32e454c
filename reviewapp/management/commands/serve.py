"""`manage.py serve`: run the web app."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from reviewapp.management.command_line import GUNICORN
from reviewapp.management.desk_command import DeskCommand
from reviewapp.onboarding.setup_links import describe_setup_link, get_origin


class Command(DeskCommand):
    """Replaces itself with gunicorn."""

    help = "Run the web app. BIND or PORT, WEB_CONCURRENCY and WEB_THREADS are heeded."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", metavar="HOST:PORT", help="[BIND, or 127.0.0.1 and PORT, or 127.0.0.1:8080]")

    def handle(self, *args: Any, **options: Any) -> None:
        address = options["bind"] or os.environ.get("BIND") or f"127.0.0.1:{os.environ.get('PORT', '8080')}"
        self.stdout.write(describe_setup_link(get_origin(address)), ending="")
        bind = ["--bind", options["bind"]] if options["bind"] else []
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *GUNICORN, *bind])  # noqa: S606 - our own command
