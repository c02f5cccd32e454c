"""`manage.py demo`: the review app, a trace store and the worker, with traces to try them on."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from reviewapp.demo import seeding
from reviewapp.demo.processes import ProcessGroup, StartError, check_port_free, lock_data_dir
from reviewapp.lib.numbers import parse_int


class Command(BaseCommand):
    help = "Run everything on this machine: the review app, the embedded trace store and the worker."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one line of JSON about what runs, then run on")

    def handle(self, *args: Any, **options: Any) -> None:
        port, store_port = _port("PORT", 8080), _port("STORE_PORT", 8000)
        store = f"127.0.0.1:{store_port}"
        # The store is on loopback on purpose; everything else private stays out of reach.
        settings.ALLOWED_LAMINAR_HOSTS = frozenset({store})
        family = ProcessGroup(
            {**os.environ, "ALLOWED_LAMINAR_HOSTS": store, "DATA_DIR": str(settings.DATA_DIR)}, settings.BASE_DIR
        )
        try:
            if port == store_port:
                raise StartError("PORT and STORE_PORT are the same: give each program a port of its own.")
            check_port_free(port, "PORT")
            check_port_free(store_port, "STORE_PORT")
            lock_data_dir(settings.DATA_DIR)
            told = self._start(family, port, store_port)
        except StartError as error:
            family.stop()
            raise CommandError(str(error)) from None
        except BaseException:
            family.stop()
            raise
        self.stdout.write(json.dumps(told) if options["json"] else _greeting(told))
        family.hand_over_to_supervisor()

    def _start(self, family: ProcessGroup, port: int, store_port: int) -> dict[str, Any]:
        secrets = seeding.derive_secrets()
        url, store_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{store_port}"
        keys = {
            "project_id": str(secrets.project_id),
            "full_key": secrets.store_key,
            "ingest_key": secrets.ingest_key,
        }
        family.start(
            "trace store",
            ["-m", "reviewapp.tracestore", "--port", str(store_port), "--keys-stdin",
             "--database", str(settings.DATA_DIR / "tracestore.sqlite3")],
            stdin=json.dumps(keys).encode() + b"\n",
        )  # fmt: skip
        call_command("migrate", verbosity=0)
        if _is_stale(settings.STATIC_ROOT / "staticfiles.json"):
            call_command("collectstatic", verbosity=0, interactive=False)
        family.start("review app", ["-m", "gunicorn", "reviewapp.wsgi", "--bind", f"127.0.0.1:{port}"])
        family.wait_for("trace store", f"{store_url}/ready")
        passwords = seeding.seed_demo(store_url, secrets)
        family.start("worker", ["manage.py", "deliver"])
        family.wait_for("review app", f"{url}/ready")
        return {
            "url": url,
            "store_url": store_url,
            "store_key": secrets.store_key,
            "store_ingest_key": secrets.ingest_key,
            "project": seeding.PROJECT_SLUG,
            "queue": seeding.QUEUE_SLUG,
            "people": [
                {"username": username, "password": passwords[username], "role": str(role)}
                for username, role in seeding.PEOPLE.items()
            ],
            "access_token": secrets.access_token,
        }


def _port(variable: str, default: int) -> int:
    number = parse_int(os.environ.get(variable, str(default)), max_value=65_535)
    if not number:
        raise CommandError(f"{variable} is not a port: give a number from 1 to 65535.")
    return number


def _is_stale(manifest: Path) -> bool:
    """Whether a static file is newer than what was collected last."""
    if not manifest.exists():
        return True
    collected = manifest.stat().st_mtime
    return any(
        path.stat().st_mtime > collected for folder in settings.STATICFILES_DIRS for path in Path(folder).rglob("*")
    )


def _greeting(told: dict[str, Any]) -> str:
    people = "\n".join(f"    {one['username']:<8} {one['password']}   {one['role']}" for one in told["people"])
    return f"""
The review desk runs at {told["url"]}

  Sign in as
{people}

  Trace store (Laminar-compatible) at {told["store_url"]}
    full key         {told["store_key"]}
    ingest-only key  {told["store_ingest_key"]}
  Access token of the API
    {told["access_token"]}

  Ctrl-C stops everything. What you do stays in {settings.DATA_DIR}.
"""
