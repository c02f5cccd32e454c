"""`manage.py demo`: the review app, a trace store and the worker, with sample traces."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from reviewapp.demo import seeding
from reviewapp.demo.processes import ProcessGroup, StartError, check_port_free, lock_data_dir
from reviewapp.lib import private_files
from reviewapp.lib.numbers import parse_int
from reviewapp.management.command_line import GUNICORN
from reviewapp.management.desk_command import DeskCommand
from reviewapp.onboarding.setup_links import make_setup_link
from reviewapp.web.settings_checks import find_open_paths


class Command(DeskCommand):
    help = "Run the review app, the embedded trace store and the worker on this machine, with sample traces."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="print one line of JSON with URLs, keys and passwords once ready"
        )

        parser.add_argument(
            "--empty", action="store_true", help="without sample traces and people; prints a link for the first admin"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        port, store_port = _port("PORT", 8080), _port("STORE_PORT", 8000)
        store_host = f"127.0.0.1:{store_port}"
        # Allow the store's loopback address only; all other private addresses stay blocked.
        settings.ALLOWED_LAMINAR_HOSTS = frozenset({store_host})
        processes = ProcessGroup(
            {
                **os.environ,
                "ALLOWED_LAMINAR_HOSTS": store_host,
                "DATA_DIR": str(settings.DATA_DIR),
                "DRAIN_SECONDS": "0",
                "IS_DEMO": "" if options["empty"] else "true",
                "EMBEDDED_STORE_URL": f"http://{store_host}",
                "EMBEDDED_STORE_KEY": seeding.derive_secrets().store_key,
            },
            settings.BASE_DIR,
        )  # fmt: skip
        try:
            if port == store_port:
                raise StartError("PORT and STORE_PORT are the same. Choose two different ports.")
            check_port_free(port, "PORT")
            check_port_free(store_port, "STORE_PORT")
            lock_data_dir(settings.DATA_DIR)
            # Of an earlier release, perhaps; the folder is the demo's own.
            private_files.restrict(find_open_paths())
            info = self._start(processes, port, store_port, is_empty=options["empty"])
        except StartError as error:
            processes.stop()
            raise CommandError(str(error)) from None
        except BaseException:
            processes.stop()
            raise
        self.stdout.write(json.dumps(info) if options["json"] else _format_greeting(info))
        processes.hand_over_to_supervisor()

    def _start(self, processes: ProcessGroup, port: int, store_port: int, *, is_empty: bool) -> dict[str, Any]:
        secrets = seeding.derive_secrets()
        url, store_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{store_port}"
        keys = {
            "project_id": str(secrets.project_id),
            "full_key": secrets.store_key,
            "ingest_key": secrets.ingest_key,
        }
        processes.start(
            "trace store",
            ["-m", "reviewapp.tracestore", "--port", str(store_port), "--keys-stdin",
             "--database", str(settings.DATA_DIR / "tracestore.sqlite3")],
            stdin=json.dumps(keys).encode() + b"\n",
        )  # fmt: skip
        call_command("migrate", verbosity=0)
        if _is_stale(settings.STATIC_ROOT / "staticfiles.json"):
            call_command("collectstatic", verbosity=0, interactive=False)
        processes.start("review app", [*GUNICORN, "--bind", f"127.0.0.1:{port}"])
        processes.wait_for("trace store", f"{store_url}/ready")
        passwords = {} if is_empty else seeding.seed_demo(store_url, secrets)
        processes.start("worker", ["-m", "reviewapp.management.command_line", "deliver"])
        processes.wait_for("review app", f"{url}/ready")
        return {
            "url": url,
            "setup_url": url + path if (path := make_setup_link()) else "",
            "store_url": store_url,
            "store_key": secrets.store_key,
            "store_ingest_key": secrets.ingest_key,
            "project": seeding.PROJECT_SLUG,
            "queue": seeding.QUEUE_SLUG,
            "people": [
                {"username": username, "password": passwords[username], "role": str(role)}
                for username, role in seeding.PEOPLE.items()
                if username in passwords
            ],
            "access_token": secrets.access_token,
        }


def _port(variable: str, default: int) -> int:
    number = parse_int(os.environ.get(variable, str(default)), max_value=65_535)
    if not number:
        raise CommandError(f"{variable} is not a valid port. Use a number from 1 to 65535.")
    return number


def _is_stale(manifest: Path) -> bool:
    """Whether a static file is newer than the last collectstatic. Those of a wheel were collected when it was built."""
    if not manifest.exists():
        return True
    collected_at = manifest.stat().st_mtime
    return any(
        path.stat().st_mtime > collected_at for folder in settings.STATICFILES_DIRS for path in Path(folder).rglob("*")
    )


def _format_greeting(info: dict[str, Any]) -> str:
    people = "\n".join(
        f"    {person['username']:<8} {person['password']}   {person['role']}" for person in info["people"]
    )
    sign_in = f"  Sign in as\n{people}\n" if people else ""
    if info["setup_url"]:
        sign_in = f"  Open within 24 hours to create the first admin; the link works once\n    {info['setup_url']}\n"
    token = f"  API access token\n    {info['access_token']}\n" if people else ""
    return f"""
The review app is running at {info["url"]}

{sign_in}
  Trace store (Laminar-compatible) at {info["store_url"]}
    full key         {info["store_key"]}
    ingest-only key  {info["store_ingest_key"]}
{token}
  Press Ctrl-C to stop everything. Your data is kept in {settings.DATA_DIR}.
"""
