"""`manage.py probe`: ask the web app on this machine whether it is ready; for a container's health check."""

import os
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from reviewapp.management.desk_command import DeskCommand

TIMEOUT = 4.0  # seconds


class Command(DeskCommand):
    help = "Ask the web app on this machine whether it is ready to serve requests. Exits with 1 if it is not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = os.environ.get("BIND", "").rpartition(":")[2] or os.environ.get("PORT") or "8080"
        parser.add_argument("--url", default=f"http://127.0.0.1:{port}/readyz", help="[%(default)s]")

    def handle(self, *args: Any, **options: Any) -> None:
        url = options["url"]
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - chosen by the operator
                self.stdout.write(response.read(200).decode(errors="replace"))
        except urllib.error.HTTPError as error:
            text = error.read(200).decode(errors="replace")
            raise CommandError(f"The web app is not ready: {text}") from None
        except (OSError, ValueError) as error:
            raise CommandError(f"{url} does not answer: {error}. Start the web app, or name another --url.") from None
